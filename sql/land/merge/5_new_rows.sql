insert into land.coworker_invoice_histories by name
select * exclude (raw, is_unknown) -- noqa: AM04
from seen
where is_unknown;
