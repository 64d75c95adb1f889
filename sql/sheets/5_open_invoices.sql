-- Invoices whose payment failed and that are still open, latest failure first: those that can still be saved.
select
    recoveries.invoice_id,
    invoices.invoice_number,
    businesses.business_name,
    recoveries.currency_code,
    recoveries.invoice_amount,
    recoveries.open_amount,
    expected.recovery_probability,
    expected.expected_amount,
    invoices.due_at,
    recoveries.first_failed_date,
    recoveries.open_days,
    recoveries.failed_attempt_count,
    recoveries.last_failure_reason,
    invoices.coworker_id,
    recoveries.business_id,
from failed_invoice_recoveries as recoveries
inner join invoices on recoveries.invoice_id = invoices.invoice_id
left join expected_invoice_recoveries as expected on recoveries.invoice_id = expected.invoice_id
left join businesses on recoveries.business_id = businesses.business_id
where recoveries.recovery_state in ('open', 'partly_recovered')
order by recoveries.first_failed_at desc, recoveries.invoice_id asc
