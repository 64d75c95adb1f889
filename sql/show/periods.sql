-- The periods that a view can be of, newest first, the rolling ones at the top.
select
    period_code,
    period_kind,
    period_start_date,
    period_end_date,
    data_until_date,
    previous_start_date,
    previous_end_date,
    is_complete,
    has_previous,
from reporting_periods
order by
    period_kind = 'rolling' desc,
    case period_kind when 'month' then 1 when 'quarter' then 2 else 3 end asc,
    period_start_date desc
