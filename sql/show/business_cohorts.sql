-- Cohorts of invoices by the month of their first failure, of each chosen business, newest first.
select
    cohorts.*, -- noqa: AM04
    business_label(businesses.business_name, cohorts.business_id) as business_name,
from recovery_cohorts as cohorts
left join businesses on cohorts.business_id = businesses.business_id
where
    cohorts.month_start_date <= getvariable('until')
    and cohorts.month_start_date > getvariable('until')::date - interval 12 month
    and is_chosen_business(cohorts.business_id)
    and is_chosen_currency(cohorts.currency_code)
order by
    businesses.business_name asc,
    cohorts.business_id asc,
    cohorts.currency_code asc,
    cohorts.month_start_date desc
