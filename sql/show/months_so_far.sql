-- The headline by day of a month and of the month before, from the first of each: of all businesses together, or of
-- each chosen one.
select
    business_id,
    currency_code,
    month_start_date,
    day_date,
    day_of_month,
    first_attempt_count,
    failed_first_attempt_count,
    first_attempt_failure_ratio,
from month_rates_so_far
where
    month_start_date between getvariable('month')::date - interval 1 month and getvariable('month')::date
    and first_attempt_failure_ratio is not null
    and is_chosen_scope(is_all_businesses, business_id)
    and is_chosen_currency(currency_code)
order by currency_code asc nulls last, business_id asc, day_date asc
