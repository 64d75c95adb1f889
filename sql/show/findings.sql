-- What went wrong lately, a sentence each, the most important first.
select
    finding,
    business_id,
    currency_code,
    incident_kind,
from findings
where is_chosen_business(business_id) and is_chosen_currency(currency_code)
order by finding_number
limit getvariable('limit')
