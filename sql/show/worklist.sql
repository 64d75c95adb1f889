-- The invoices that failed and are still open: those that failed last first, for they are the likeliest to be paid. The
-- next step is that of the newest failed attempt.
with

newest_failures as (
    select * from payment_attempts
    where outcome = 'failed'
    qualify row_number() over (partition by invoice_id order by attempt_number desc) = 1
)

select
    recoveries.invoice_id,
    invoices.invoice_number,
    recoveries.business_id,
    business_label(businesses.business_name, recoveries.business_id) as business_name,
    recoveries.currency_code,
    recoveries.open_amount,
    newest_failures.day_date as last_failed_date,
    recoveries.last_failure_reason,
    newest_failures.next_step,
    recoveries.failed_attempt_count,
    recoveries.first_failed_date,
    recoveries.open_days,
    expected.recovery_probability,
    pending.in_flight_date,
    invoices.coworker_full_name as customer_name,
    invoices.due_at,
    invoices.coworker_id,
from failed_invoice_recoveries as recoveries
left join newest_failures on recoveries.invoice_id = newest_failures.invoice_id
left join invoices on recoveries.invoice_id = invoices.invoice_id
left join expected_invoice_recoveries as expected on recoveries.invoice_id = expected.invoice_id
left join pending_invoices as pending
    on recoveries.invoice_id = pending.invoice_id and pending.pending_state = 'in_flight'
left join businesses on recoveries.business_id = businesses.business_id
where
    recoveries.recovery_state in ('open', 'partly_recovered')
    and is_chosen_business(recoveries.business_id)
    and is_chosen_currency(recoveries.currency_code)
order by recoveries.open_days asc, recoveries.open_amount desc, recoveries.invoice_id asc
limit getvariable('limit')
