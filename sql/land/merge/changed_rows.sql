insert into land.entity_rows by name
select * exclude (raw, is_changed, is_current) -- noqa: AM04
from observed
where is_changed and is_current;
