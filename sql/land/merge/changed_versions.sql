-- Apart from the new ones: one statement for both would join each page once more, half as much again of its time.
insert into land.entity_versions by name
select
    id,
    updated_on,
    seen_at,
    content_hash,
    raw
from observed
where is_changed and is_current;
