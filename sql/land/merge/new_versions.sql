insert into land.entity_versions by name
select
    id,
    updated_on,
    first_seen_at as seen_at,
    content_hash,
    raw
from seen
where is_unknown;
