-- The one beside the other, where both know of it. A row is replaced by a later updated_on, or by the same updated_on
-- seen later, never by an older one (is_current); so pages may come in any order, any number of times.
create or replace temp view observed as
select
    seen.* exclude (is_unknown, first_seen_at), -- noqa: AM04, RF02
    least(known.first_seen_at, seen.first_seen_at) as first_seen_at,
    known.content_hash != seen.content_hash as is_changed,
    seen.updated_on > known.updated_on
    or (seen.updated_on = known.updated_on and seen.seen_at >= known.seen_at) as is_current,
from seen
inner join known on seen.id = known.id
where not seen.is_unknown;
