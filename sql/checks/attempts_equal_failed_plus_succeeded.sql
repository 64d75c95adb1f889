-- The monthly rates count as many attempts, failed and succeeded, as there are.
--
-- concerns
--   model.monthly_payment_failure_rates
with

attempts as (
    select
        business_id,
        currency_code,
        month_start_date,
        count(*) as attempt_count,
        count(*) filter (where failure_reason is not null) as failed_attempt_count,
    from model.payment_attempts
    group by all
),

rates as (select * from model.monthly_payment_failure_rates)

select
    rates.business_id,
    rates.currency_code,
    rates.month_start_date,
    rates.attempt_count,
    rates.failed_attempt_count,
    rates.succeeded_attempt_count,
    attempts.attempt_count as real_attempt_count,
    attempts.failed_attempt_count as real_failed_attempt_count,
from rates
full join attempts
    on
        rates.business_id is not distinct from attempts.business_id
        and rates.currency_code is not distinct from attempts.currency_code
        and rates.month_start_date = attempts.month_start_date
where
    coalesce(attempts.attempt_count, 0) is distinct from rates.failed_attempt_count + rates.succeeded_attempt_count
    or coalesce(attempts.failed_attempt_count, 0) is distinct from rates.failed_attempt_count
