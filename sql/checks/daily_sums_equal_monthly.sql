-- The days of a month add up to the month, in every count and amount that can be added.
--
-- concerns
--   model.monthly_payment_failure_rates
with

daily as (
    select
        business_id,
        currency_code,
        date_trunc('month', day_date)::date as month_start_date,
        sum(attempt_count) as attempt_count,
        sum(failed_attempt_count) as failed_attempt_count,
        sum(pending_count) as pending_count,
        sum(excluded_attempt_count) as excluded_attempt_count,
        sum(first_attempt_count) as first_attempt_count,
        sum(failed_first_attempt_count) as failed_first_attempt_count,
        sum(attempted_amount) as attempted_amount,
        sum(failed_amount) as failed_amount,
        sum(first_attempt_amount) as first_attempt_amount,
        sum(failed_first_attempt_amount) as failed_first_attempt_amount,
    from model.daily_payment_failure_rates
    group by all
),

monthly as (
    select
        business_id,
        currency_code,
        month_start_date,
        attempt_count,
        failed_attempt_count,
        pending_count,
        excluded_attempt_count,
        first_attempt_count,
        failed_first_attempt_count,
        attempted_amount,
        failed_amount,
        first_attempt_amount,
        failed_first_attempt_amount,
    from model.monthly_payment_failure_rates
),

differing as (
    (
        select * from daily
        except
        select * from monthly
    )
    union all
    (
        select * from monthly
        except
        select * from daily
    )
)

select
    business_id,
    currency_code,
    month_start_date,
    attempt_count,
    failed_attempt_count,
    pending_count,
    excluded_attempt_count,
    attempted_amount,
    failed_amount,
from differing
