-- One invoice as it was at its newest observation, and what became of it where its payment failed.
select
    invoices.invoice_id,
    invoices.invoice_number,
    business_label(businesses.business_name, invoices.business_id) as business_name,
    invoices.currency_code,
    invoices.coworker_id,
    invoices.coworker_full_name as customer_name,
    invoices.total_amount,
    invoices.due_amount,
    invoices.invoice_status,
    invoices.payment_route,
    invoices.due_at,
    invoices.paid_at,
    invoices.as_of_at,
    recoveries.failed_attempt_count,
    recoveries.last_failure_reason,
    recoveries.open_days,
    expected.recovery_probability,
from invoices
left join businesses on invoices.business_id = businesses.business_id
left join failed_invoice_recoveries as recoveries on invoices.invoice_id = recoveries.invoice_id
left join expected_invoice_recoveries as expected on invoices.invoice_id = expected.invoice_id
where invoices.invoice_id = getvariable('invoice')
