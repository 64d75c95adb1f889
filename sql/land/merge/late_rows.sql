-- An older observation that arrives late still tells when the row was first there.
update land.entity_rows as landed
set first_seen_at = page.first_seen_at
from observed as page
where landed.id = page.id and not page.is_current and page.first_seen_at < landed.first_seen_at;
