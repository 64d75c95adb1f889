-- What is not read yet.
select
    axis,
    from_at,
    to_at,
from sync_gaps
order by axis, from_at
limit getvariable('limit')
