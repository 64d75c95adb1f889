-- One row per contiguous range of minutes that one run read completely: what the figures are based on, and when it was
-- read.
--
-- columns
--   entity          The kind of record that was read, as the API names it
--   axis            The time field that was read along, as the API names it
--   from_at         First minute of the range
--   to_at           First minute after the range
--   row_count       Records that the answers held, those seen before included
--   request_count   Requests that it took
--   run_id          The run, as Dagster names it
--   closed_at       When the range was complete, by the server's clock
select
    entity,
    axis,
    from_at,
    to_at,
    row_count,
    request_count,
    run_id,
    closed_at
from land.windows
order by entity, axis, from_at, closed_at;
