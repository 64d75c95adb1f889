insert into land.coworker_invoice_histories by name
select * exclude (raw, is_changed, is_current) -- noqa: AM04
from observed
where is_changed and is_current;
