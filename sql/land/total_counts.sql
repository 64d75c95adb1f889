-- One row per entity, of its newest complete sync: how many records the API counts in all, and how many more that is
-- than were ever landed. The next sync looks for what it lacks where excess_count has risen.
create table if not exists land.total_counts (
    entity varchar,
    run_id varchar,
    counted_at timestamptz,
    api_count bigint,
    excess_count bigint
);
