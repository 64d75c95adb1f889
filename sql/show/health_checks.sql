-- The promises that held when this file was published, by table.
select
    table_name,
    count(*) as check_count,
    string_agg(promise, '; ' order by check_name) as promises,
from data_checks
group by table_name
order by table_name
