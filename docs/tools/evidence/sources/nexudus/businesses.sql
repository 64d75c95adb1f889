select
    business_id,
    business_name
from businesses
