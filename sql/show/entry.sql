-- One history entry with its invoice and the rule that decided what it is.
select
    entries.entry_id,
    entries.invoice_id,
    entries.business_id,
    entries.currency_code,
    entries.created_at,
    entries.updated_at,
    entries.day_date,
    entries.name,
    entries.description,
    entries.is_problem,
    entries.kind,
    entries.failure_reason,
    entries.rule_priority,
    entries.rule_name,
    entries.excluded_because,
    entries.customer_was_notified,
    entries.seen_at,
    business_label(businesses.business_name, entries.business_id) as business_name,
    invoices.invoice_number,
    invoices.total_amount,
    invoices.is_paid,
    invoices.paid_at,
    invoices.is_refunded,
    invoices.as_of_at,
    rules.next_step,
    entries.is_understood,
from history_entries as entries
left join businesses on entries.business_id = businesses.business_id
left join invoices on entries.invoice_id = invoices.invoice_id
left join entry_rules as rules on entries.rule_priority = rules.priority
where entries.entry_id = getvariable('entry')
