-- What the warehouse holds of the same Ids, beside what the answer says. A row is replaced by a later updated_on, or by
-- the same updated_on seen later, never by an older one (is_current); so pages may come in any order, any number of
-- times.
create or replace temp table known as
select
    seen.*, -- noqa: AM04
    least(landed.first_seen_at, seen.seen_at) as first_seen_at,
    landed.content_hash != seen.content_hash as is_changed,
    seen.updated_on > landed.updated_on
    or (seen.updated_on = landed.updated_on and seen.seen_at >= landed.seen_at) as is_current,
from seen
inner join land.coworker_invoice_histories as landed on seen.id = landed.id;
