-- What a page says beside what is known of each Id. A row is replaced by a later updated_on, or by the same updated_on
-- seen later, never by an older one (is_current); so pages may come in any order, any number of times.
create or replace temp table observed as
with seen as (
    select
        *,
        md5(raw) as content_hash,
    from page
),

known as (
    select
        landed.id,
        landed.updated_on,
        landed.seen_at,
        landed.first_seen_at,
        landed.content_hash,
    from land.coworker_invoice_histories as landed
    inner join page on landed.id = page.id
)

select
    seen.*, -- noqa: AM04
    least(known.first_seen_at, seen.seen_at) as first_seen_at,
    null::timestamptz as deleted_at,
    known.id is null as is_unknown,
    coalesce(known.content_hash != seen.content_hash, true) as is_changed,
    known.id is null
    or seen.updated_on > known.updated_on
    or (seen.updated_on = known.updated_on and seen.seen_at >= known.seen_at) as is_current,
from seen
left join known on seen.id = known.id;
