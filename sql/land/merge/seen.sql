-- What the answer says. Most of a first sync is new, so that is told apart here, once, and the rest joined later.
create or replace temp table seen as
select
    *, -- noqa: AM04
    md5(raw) as content_hash,
    null::timestamptz as deleted_at,
    id not in (select known.id from known) as is_unknown,
from page;
