insert into land.coworker_invoice_histories by name
select
    * exclude (raw, is_unknown), -- noqa: AM04
    seen_at as first_seen_at,
from seen
where is_unknown;
