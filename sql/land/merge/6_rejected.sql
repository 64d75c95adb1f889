insert into land.rejected_records by name
select
    id,
    reason,
    raw,
    md5(raw) as content_hash,
    $seen_at::timestamptz as seen_at
from rejected_page as broken
where not exists (
    select 1
    from land.rejected_records as known
    where known.content_hash = md5(broken.raw)
);
