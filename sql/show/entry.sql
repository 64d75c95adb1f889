-- One history entry, and the rule that decided what it is.
select
    entries.entry_id,
    entries.invoice_id,
    entries.created_at,
    entries.updated_at,
    entries.name,
    entries.description,
    entries.is_problem,
    entries.kind,
    entries.failure_reason,
    entries.rule_priority,
    entries.rule_name,
    entries.excluded_because,
    business_label(businesses.business_name, entries.business_id) as business_name,
    rules.next_step,
    entries.is_understood,
from history_entries as entries
left join businesses on entries.business_id = businesses.business_id
left join entry_rules as rules on entries.rule_priority = rules.priority
where entries.entry_id = getvariable('entry')
