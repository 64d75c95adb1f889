-- And it is a version of the row, unless the same answer was landed before.
insert into land.entity_versions by name
select
    late.id,
    late.updated_on,
    late.seen_at,
    late.content_hash,
    late.raw
from observed as late
anti join land.entity_versions as versions
    on late.id = versions.id and late.content_hash = versions.content_hash
where late.is_changed and not late.is_current;
