-- The reasons that a failed payment can have.
select distinct failure_reason
from entry_rules
where failure_reason is not null
order by failure_reason
