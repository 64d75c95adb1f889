-- Cohorts of invoices by the month of their first failure, of all businesses together, newest first.
select
    null::bigint as business_id,
    null::varchar as business_name,
    currency_code,
    month_start_date,
    failed_invoice_count,
    recovered_invoice_count,
    open_invoice_count,
    refunded_invoice_count,
    failed_amount,
    recovered_amount,
    open_amount,
    recovery_ratio,
    recovery_amount_ratio,
    recovered_1_day_ratio,
    recovered_1_day_count,
    observed_1_day_count,
    recovered_1_day_amount_ratio,
    recovered_3_day_ratio,
    recovered_3_day_count,
    observed_3_day_count,
    recovered_3_day_amount_ratio,
    recovered_7_day_ratio,
    recovered_7_day_count,
    observed_7_day_count,
    recovered_7_day_amount_ratio,
    recovered_14_day_ratio,
    recovered_14_day_count,
    observed_14_day_count,
    recovered_14_day_amount_ratio,
    recovered_28_day_ratio,
    recovered_28_day_count,
    observed_28_day_count,
    recovered_28_day_amount_ratio,
from currency_recovery_cohorts
where
    month_start_date <= getvariable('until')
    and month_start_date > getvariable('until')::date - interval 12 month
    and is_chosen_currency(currency_code)
order by currency_code asc nulls last, month_start_date desc
