-- The invoices that failed and are still open, oldest first.
select
    recoveries.invoice_id,
    invoices.invoice_number,
    recoveries.business_id,
    business_label(businesses.business_name, recoveries.business_id) as business_name,
    recoveries.currency_code,
    recoveries.invoice_amount,
    recoveries.first_failed_date,
    recoveries.open_days,
    recoveries.failed_attempt_count,
    recoveries.last_failure_reason,
from failed_invoice_recoveries as recoveries
left join invoices on recoveries.invoice_id = invoices.invoice_id
left join businesses on recoveries.business_id = businesses.business_id
where
    recoveries.recovery_state = 'open'
    and is_chosen_business(recoveries.business_id)
    and is_chosen_currency(recoveries.currency_code)
order by recoveries.open_days desc, recoveries.invoice_amount desc, recoveries.invoice_id asc
limit getvariable('limit')
