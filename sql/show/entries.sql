-- The history entries of a view, newest first.
select
    entries.entry_id,
    entries.created_at,
    entries.day_date,
    entries.business_id,
    business_label(businesses.business_name, entries.business_id) as business_name,
    entries.currency_code,
    entries.invoice_id,
    entries.name,
    entries.description,
    entries.kind,
    entries.failure_reason,
    entries.rule_name,
    entries.is_problem,
    entries.excluded_because,
from history_entries as entries
left join businesses on entries.business_id = businesses.business_id
where
    -- The history of an invoice is shown whole, whatever the period.
    (
        getvariable('invoice')::bigint is not null
        or entries.day_date between getvariable('from') and getvariable('until')
    )
    and is_chosen_business(entries.business_id)
    and is_chosen_currency(entries.currency_code)
    and is_chosen_kind(entries.kind)
    and is_chosen_reason(entries.failure_reason)
    and (getvariable('invoice')::bigint is null or entries.invoice_id = getvariable('invoice')::bigint)
    and (not getvariable('counted')::boolean or entries.excluded_because is null)
order by entries.created_at desc, entries.entry_id desc
limit getvariable('limit') offset getvariable('offset')
