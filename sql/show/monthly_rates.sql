-- The rates by month up to a day, for a chart: of all businesses together, or of each chosen one.
select
    rates.period_code,
    rates.period_start_date,
    rates.period_end_date,
    rates.is_all_businesses,
    rates.business_id,
    rates.currency_code,
    rates.attempt_count,
    rates.failed_attempt_count,
    rates.unflagged_failed_attempt_count,
    rates.pending_count,
    rates.excluded_attempt_count,
    rates.attempted_amount,
    rates.failed_amount,
    rates.attempt_failure_ratio,
    rates.attempt_failure_low_ratio,
    rates.attempt_failure_high_ratio,
    rates.first_attempt_failure_ratio,
    rates.amount_failure_ratio,
    rates.previous_attempt_count,
    rates.previous_failed_attempt_count,
    rates.previous_attempt_failure_ratio,
    rates.attempt_failure_change_ratio,
    rates.attempt_failure_change_low_ratio,
    rates.attempt_failure_change_high_ratio,
    rates.is_significant_change,
    rates.is_small_sample,
    rates.is_mature,
    rates.mature_until_date,
    businesses.business_name,
from period_payment_failure_rates as rates
left join businesses on rates.business_id = businesses.business_id
where
    rates.period_kind = 'month'
    and rates.period_start_date <= getvariable('until')
    and rates.period_start_date > getvariable('until')::date - interval 25 month
    and is_chosen_scope(rates.is_all_businesses, rates.business_id)
    and is_chosen_currency(rates.currency_code)
order by rates.business_id, rates.currency_code, rates.period_start_date
