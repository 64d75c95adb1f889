-- One row per business and currency: failure rates of the newest complete month, and of the running one so far.
with months as (
    select
        rates.*,
        lead(rates.first_attempt_failure_ratio) over (
            partition by rates.business_id, rates.currency_code order by rates.period_start_date
        ) as month_to_date_ratio,
        businesses.business_name,
    from period_payment_failure_rates as rates
    left join businesses on rates.business_id = businesses.business_id
    where rates.period_kind = 'month' and not rates.is_all_businesses
)

select
    period_start_date,
    coalesce(business_name, business_id::varchar) as business,
    currency_code,
    first_attempt_count,
    failed_first_attempt_count,
    first_attempt_failure_ratio,
    first_attempt_failure_low_ratio,
    first_attempt_failure_high_ratio,
    previous_first_attempt_failure_ratio,
    is_significant_change,
    month_to_date_ratio,
    attempt_failure_ratio,
from months
where
    period_start_date = (
        select max(latest.period_start_date) from months as latest
        where latest.is_complete
    )
order by first_attempt_failure_ratio desc nulls last, business_id asc
