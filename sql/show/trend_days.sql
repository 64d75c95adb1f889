-- The days of one series.
select
    day_date,
    problem_entry_count,
    mean_7_day_count,
    mean_28_day_count,
    baseline_count,
from problem_entry_trends
where
    day_date between getvariable('from') and getvariable('until')
    and business_id is not distinct from getvariable('business')
    and currency_code is not distinct from getvariable('currency')
    and kind = getvariable('kind')
order by day_date
