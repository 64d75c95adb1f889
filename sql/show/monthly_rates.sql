-- The rates by month up to a day, for a chart: of all businesses together, or of each chosen one.
select
    rates.*, -- noqa: AM04
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
