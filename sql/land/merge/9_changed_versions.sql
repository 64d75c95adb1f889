insert into land.coworker_invoice_history_versions by name
select
    id,
    updated_on,
    seen_at,
    content_hash,
    raw
from observed
where is_changed and is_current;
