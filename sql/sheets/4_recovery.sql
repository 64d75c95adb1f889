-- What was paid later: invoices of each business and currency by the month of their first failure, newest month first.
select
    cohorts.month_start_date,
    businesses.business_name,
    cohorts.currency_code,
    cohorts.failed_invoice_count,
    cohorts.recovered_invoice_count,
    cohorts.open_invoice_count,
    cohorts.refunded_invoice_count,
    cohorts.failed_amount,
    cohorts.recovered_amount,
    cohorts.open_amount,
    cohorts.recovered_7_day_ratio,
    cohorts.recovered_28_day_ratio,
    cohorts.recovered_28_day_low_ratio,
    cohorts.recovered_28_day_high_ratio,
    cohorts.is_small_sample,
    cohorts.business_id,
from recovery_cohorts as cohorts
left join businesses on cohorts.business_id = businesses.business_id
order by
    cohorts.month_start_date desc,
    businesses.business_name asc,
    cohorts.business_id asc,
    cohorts.currency_code asc
