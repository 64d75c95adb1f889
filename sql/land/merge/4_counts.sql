select
    (select count(*) from seen) as new_count,
    count(*) filter (where is_changed and is_current) as changed_count,
    count(*) filter (where not is_changed and is_current) as unchanged_count,
    count(*) filter (where not is_current) as late_count,
from known;
