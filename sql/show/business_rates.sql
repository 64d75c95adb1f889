-- The rates of a period, a row per business and currency, highest first; rows without attempts come last.
select
    rates.*, -- noqa: AM04
    business_label(businesses.business_name, rates.business_id) as business_name,
from period_payment_failure_rates as rates
left join businesses on rates.business_id = businesses.business_id
where
    rates.period_code = getvariable('period')
    and not rates.is_all_businesses
    and is_chosen_business(rates.business_id)
    and is_chosen_currency(rates.currency_code)
order by rates.first_attempt_failure_ratio desc nulls last, rates.first_attempt_count desc, rates.business_id asc
