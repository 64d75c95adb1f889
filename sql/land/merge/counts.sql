with unknown as (select count(*) as new_count from seen where is_unknown) -- noqa: LT14

select
    any_value(unknown.new_count) as new_count,
    count(*) filter (where observed.is_changed and observed.is_current) as changed_count,
    count(*) filter (where not observed.is_changed and observed.is_current) as unchanged_count,
    count(observed.id) filter (where not observed.is_current) as late_count,
from unknown
left join observed on true;
