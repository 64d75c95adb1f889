-- The businesses and currencies that figures are published of; a name that two businesses share is told apart by id.
select
    business_id,
    business_name,
    name_source,
    count(*) over (partition by business_name) > 1 as is_ambiguous,
from businesses
order by business_name, business_id
