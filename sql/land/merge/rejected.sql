insert into land.rejected_records by name
select
    broken.entity,
    broken.id,
    broken.reason,
    broken.raw,
    broken.seen_at,
    md5(broken.raw) as content_hash,
from rejected_page as broken
where
    not exists (
        select 1
        from land.rejected_records as known
        where known.entity = broken.entity and known.content_hash = md5(broken.raw)
    );
