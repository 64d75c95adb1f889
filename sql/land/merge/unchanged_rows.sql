-- The same content seen again is true for longer, and whatever was thought deleted is there.
update land.entity_rows as landed
set seen_at = page.seen_at, first_seen_at = page.first_seen_at, deleted_at = null
from observed as page
where landed.id = page.id and page.is_current and not page.is_changed;
