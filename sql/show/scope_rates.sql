-- The rates of a period: a row per currency with all businesses together, or a row per chosen business and currency.
select
    rates.*, -- noqa: AM04
    businesses.business_name,
from period_payment_failure_rates as rates
left join businesses on rates.business_id = businesses.business_id
where
    rates.period_code = getvariable('period')
    and is_chosen_scope(rates.is_all_businesses, rates.business_id)
    and is_chosen_currency(rates.currency_code)
order by rates.attempt_count desc, businesses.business_name asc, rates.currency_code asc
