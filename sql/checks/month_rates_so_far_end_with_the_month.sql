-- The rate of a month so far is, on its last day, the month's rate, in counts and ratio.
--
-- concerns
--   model.month_rates_so_far
with

newest as (
    select
        business_id,
        currency_code,
        month_start_date,
        first_attempt_count,
        failed_first_attempt_count,
        first_attempt_failure_ratio,
    from model.month_rates_so_far
    where not is_all_businesses
    qualify
        row_number() over (partition by business_id, currency_code, month_start_date order by day_date desc) = 1
)

select newest.*
from newest
left join model.monthly_payment_failure_rates as monthly
    on
        newest.business_id is not distinct from monthly.business_id
        and newest.currency_code is not distinct from monthly.currency_code
        and newest.month_start_date = monthly.month_start_date
        and monthly.first_attempt_count > 0
where
    newest.first_attempt_count is distinct from monthly.first_attempt_count
    or newest.failed_first_attempt_count is distinct from monthly.failed_first_attempt_count
    or newest.first_attempt_failure_ratio is distinct from monthly.first_attempt_failure_ratio
