-- The ledger: one row per contiguous range [from_at, to_at) of an axis of an entity that one run has read completely.
create table if not exists land.windows (
    entity varchar,
    axis varchar,
    from_at timestamptz,
    to_at timestamptz,
    row_count bigint,
    request_count bigint,
    run_id varchar,
    closed_at timestamptz
);
