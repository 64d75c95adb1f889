-- How many history entries a view has.
select count(*) as entry_count
from history_entries as entries
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
