-- One row per run and kind of record that it read, newest first.
--
-- columns
--   entity          The kind of record that was read, as the API names it
--   run_id          The run, as Dagster names it
--   ended_at        When its last range was complete, by the server's clock
--   window_count    Ranges that it read
--   row_count       Records that the answers held, those seen before included
--   request_count   Requests that it took
--   read_until_at   The newest minute that it read
with

windows as (select * from land.windows),

sync_runs as (
    select
        entity,
        run_id,
        max(closed_at) as ended_at,
        count(*) as window_count,
        sum(row_count)::bigint as row_count,
        sum(request_count)::bigint as request_count,
        max(to_at) as read_until_at,
    from windows
    group by entity, run_id
)

select * from sync_runs
order by ended_at desc
