select
    count(*) filter (where is_unknown) as new_count,
    count(*) filter (where is_changed and not is_unknown and is_current) as changed_count,
    count(*) filter (where not is_changed or not (is_unknown or is_current)) as same_count,
    count(*) filter (where is_current and not is_unknown) as replacing_count,
    count(*) filter (where not is_current) as late_count,
from observed;
