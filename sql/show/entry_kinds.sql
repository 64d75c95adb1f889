-- The kinds that entries are of.
select distinct kind
from history_entries
order by kind
