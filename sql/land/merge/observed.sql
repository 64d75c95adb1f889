-- The one beside the other, where both know of it. A row is replaced by what was seen on a later day (UTC); of one day
-- by a later updated_on, or by the same updated_on seen later (is_current). So pages may come in any order, any number
-- of times; an answer that lags by minutes replaces nothing; and where UpdatedOn went back, as after a backup was put
-- back, a payment made since is not refused for ever.
create or replace temp view observed as
select
    seen.* exclude (is_unknown, first_seen_at), -- noqa: AM04, RF02
    least(known.first_seen_at, seen.first_seen_at) as first_seen_at,
    known.content_hash != seen.content_hash as is_changed,
    (epoch_ms(seen.seen_at) // 86400000, seen.updated_on, seen.seen_at)
    >= (epoch_ms(known.seen_at) // 86400000, known.updated_on, known.seen_at) as is_current,
from seen
inner join known on seen.id = known.id
where not seen.is_unknown;
