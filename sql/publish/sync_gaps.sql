-- One row per range of minutes, between ranges that were read, that is not read yet: the next sync reads it.
--
-- columns
--   entity     The kind of record that is read, as the API names it
--   axis       The time field that is read along, as the API names it
--   from_at    First minute that is missing
--   to_at      First minute after the gap
with

windows as (select * from land.windows),

edges as (
    select
        entity,
        axis,
        from_at as next_from_at,
        max(to_at) over (
            partition by entity, axis
            order by from_at, to_at
            rows between unbounded preceding and 1 preceding
        ) as read_until_at,
    from windows
),

sync_gaps as (
    select
        entity,
        axis,
        read_until_at as from_at,
        next_from_at as to_at,
    from edges
    where next_from_at > read_until_at
)

select * from sync_gaps
order by entity, axis, from_at
