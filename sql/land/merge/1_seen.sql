-- What an answer says. Most of a first sync is new: what is not, `known` tells.
create or replace temp table seen as
select
    *, -- noqa: AM04
    md5(raw) as content_hash,
    null::timestamptz as deleted_at,
from page;
