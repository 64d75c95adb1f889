-- What is not read yet.
select
    entity,
    axis,
    from_at,
    to_at,
from sync_gaps
order by entity, axis, from_at
limit getvariable('limit')
