-- What the warehouse holds of the Ids of an answer.
create or replace temp table known as
select
    landed.id,
    landed.updated_on,
    landed.seen_at,
    landed.first_seen_at,
    landed.content_hash,
from land.entity_rows as landed
inner join page_ids on landed.id = page_ids.id;
