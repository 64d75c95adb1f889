insert into land.entity_rows by name
select * exclude (raw, is_unknown) -- noqa: AM04
from seen
where is_unknown;
