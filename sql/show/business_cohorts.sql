-- Cohorts of invoices by the month of their first failure, of each chosen business, newest first.
select
    cohorts.business_id,
    cohorts.currency_code,
    cohorts.month_start_date,
    cohorts.failed_invoice_count,
    cohorts.recovered_invoice_count,
    cohorts.open_invoice_count,
    cohorts.refunded_invoice_count,
    cohorts.failed_amount,
    cohorts.recovered_amount,
    cohorts.open_amount,
    cohorts.recovery_ratio,
    cohorts.recovery_amount_ratio,
    cohorts.recovered_1_day_ratio,
    cohorts.recovered_1_day_count,
    cohorts.observed_1_day_count,
    cohorts.recovered_1_day_amount_ratio,
    cohorts.recovered_3_day_ratio,
    cohorts.recovered_3_day_count,
    cohorts.observed_3_day_count,
    cohorts.recovered_3_day_amount_ratio,
    cohorts.recovered_7_day_ratio,
    cohorts.recovered_7_day_count,
    cohorts.observed_7_day_count,
    cohorts.recovered_7_day_amount_ratio,
    cohorts.recovered_14_day_ratio,
    cohorts.recovered_14_day_count,
    cohorts.observed_14_day_count,
    cohorts.recovered_14_day_amount_ratio,
    cohorts.recovered_28_day_ratio,
    cohorts.recovered_28_day_count,
    cohorts.observed_28_day_count,
    cohorts.recovered_28_day_amount_ratio,
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
