-- One row per landing run of an entity: what it asked for, what came, what it cost.
-- A run that was killed has no ended_at.
create table if not exists land.runs (
    entity varchar,
    run_id varchar,
    kind varchar,
    started_at timestamptz,
    ended_at timestamptz,
    outcome varchar,
    pulled varchar,
    new_count bigint,
    changed_count bigint,
    same_count bigint,
    rejected_count bigint,
    deleted_count bigint,
    request_count bigint,
    data_request_count bigint,
    fewest_data_request_count bigint,
    retry_count bigint,
    waited_seconds double,
    open_minutes timestamptz[]
);
