-- The newest ranges that were read.
select
    entity,
    axis,
    from_at,
    to_at,
    row_count,
    request_count,
    closed_at,
from sync_windows
order by closed_at desc, from_at desc
limit getvariable('limit')
