insert into land.coworker_invoice_histories by name
select
    * exclude (raw), -- noqa: AM04
    seen_at as first_seen_at,
from seen;
