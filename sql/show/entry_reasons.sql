-- The reasons that failed payments have.
select distinct failure_reason
from history_entries
where failure_reason is not null
order by failure_reason
