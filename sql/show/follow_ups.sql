-- What this program recorded on the invoices of a view, or was asked to, newest first. An invoice viewed on its own may
-- be one that no sync has seen.
with

invoices_of_view as (
    select distinct invoice_id
    from history_entries
    where is_in_view(day_date, business_id, currency_code, invoice_id, kind, failure_reason, excluded_because)
)

select
    recorded.reference,
    recorded.invoice_id,
    recorded.business_id,
    business_label(businesses.business_name, recorded.business_id) as business_name,
    recorded.currency_code,
    recorded.name,
    recorded.state,
    recorded.detail,
    recorded.entry_id,
    recorded.is_synced,
    recorded.planned_at,
    recorded.changed_at,
from recorded_entries as recorded
left join businesses on recorded.business_id = businesses.business_id
where
    is_chosen_business(recorded.business_id)
    and is_chosen_currency(recorded.currency_code)
    and (
        recorded.invoice_id = getvariable('invoice')::bigint
        or recorded.invoice_id in (select invoices_of_view.invoice_id from invoices_of_view)
    )
order by recorded.planned_at desc, recorded.reference asc
limit getvariable('limit')
