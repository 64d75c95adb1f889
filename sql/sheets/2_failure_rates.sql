-- Failure rates of each business and currency in the running month and the twelve before it, newest month first.
select
    rates.period_code,
    rates.is_complete,
    businesses.business_name,
    rates.currency_code,
    rates.first_attempt_count,
    rates.failed_first_attempt_count,
    rates.first_attempt_failure_ratio,
    rates.first_attempt_failure_low_ratio,
    rates.first_attempt_failure_high_ratio,
    rates.previous_first_attempt_failure_ratio,
    rates.first_attempt_failure_change_ratio,
    rates.is_significant_change,
    rates.no_rate_because,
    rates.is_small_sample,
    rates.first_attempt_amount,
    rates.failed_first_attempt_amount,
    rates.first_attempt_amount_failure_ratio,
    rates.attempt_count,
    rates.failed_attempt_count,
    rates.attempt_failure_ratio,
    rates.business_id,
from period_payment_failure_rates as rates
left join businesses on rates.business_id = businesses.business_id
where
    rates.period_kind = 'month'
    and not rates.is_all_businesses
    and rates.period_start_date > (
        select max(newest.period_start_date) - interval 13 month from period_payment_failure_rates as newest
        where newest.period_kind = 'month'
    )
order by
    rates.period_start_date desc,
    businesses.business_name asc,
    rates.business_id asc,
    rates.currency_code asc
