-- The history entries of a view: newest first, those of one invoice oldest first. The entries are found first and named
-- after: so only those shown are read with all their columns.
with

chosen as (
    select
        entry_id,
        created_at,
        business_id,
        currency_code,
        invoice_id,
        name,
        description,
        kind,
        failure_reason,
        rule_name,
        excluded_because,
        -- The history of an invoice is a story, the rest is news.
        if(getvariable('invoice')::bigint is null, -epoch(created_at), epoch(created_at)) as place,
    from history_entries
    where
        is_in_view(day_date, business_id, currency_code, invoice_id, kind, failure_reason, excluded_because)
        and has_chosen_words(name, description, invoice_id)
    order by place asc, entry_id desc
    limit getvariable('limit')
)

select
    chosen.entry_id,
    chosen.created_at,
    business_label(businesses.business_name, chosen.business_id) as business_name,
    chosen.invoice_id,
    invoices.invoice_number,
    invoices.total_amount,
    chosen.currency_code,
    invoices.coworker_id,
    invoices.coworker_full_name as customer_name,
    chosen.name,
    chosen.description,
    chosen.kind,
    chosen.failure_reason,
    chosen.rule_name,
    chosen.excluded_because,
from chosen
left join businesses on chosen.business_id = businesses.business_id
left join invoices on chosen.invoice_id = invoices.invoice_id
order by chosen.place asc, chosen.entry_id desc
