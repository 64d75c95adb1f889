-- One row a record: by its Id, or where that cannot be read, by its content.
update land.rejected_records as known
set
    reason = broken.reason,
    raw = broken.raw,
    content_hash = md5(broken.raw),
    seen_at = greatest(known.seen_at, broken.seen_at),
    from_at = coalesce(broken.from_at, known.from_at),
    to_at = coalesce(broken.to_at, known.to_at),
    fills_page = known.fills_page or broken.fills_page
from rejected_page as broken
where
    known.entity = broken.entity
    and coalesce(known.id::varchar, known.content_hash) = coalesce(broken.id::varchar, md5(broken.raw));
insert into land.rejected_records by name
select
    broken.entity,
    broken.id,
    broken.reason,
    broken.raw,
    broken.seen_at as first_seen_at,
    broken.seen_at,
    broken.from_at,
    broken.to_at,
    broken.fills_page,
    0 as try_count,
    broken.seen_at as tried_at,
    md5(broken.raw) as content_hash,
from rejected_page as broken
where
    not exists (
        select 1
        from land.rejected_records as known
        where
            known.entity = broken.entity
            and coalesce(known.id::varchar, known.content_hash) = coalesce(broken.id::varchar, md5(broken.raw))
    );
