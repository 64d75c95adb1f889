-- The history entries of a view, newest first. The page is found first and named after: so only its own rows are read
-- with all their columns.
with

page as (
    select
        entry_id,
        created_at,
        day_date,
        business_id,
        currency_code,
        invoice_id,
        name,
        description,
        kind,
        failure_reason,
        rule_name,
        is_problem,
        excluded_because,
    from history_entries
    where is_in_view(day_date, business_id, currency_code, invoice_id, kind, failure_reason, excluded_because)
    order by created_at desc, entry_id desc
    limit getvariable('limit') offset getvariable('offset')
)

select
    page.entry_id,
    page.created_at,
    page.day_date,
    page.business_id,
    business_label(businesses.business_name, page.business_id) as business_name,
    page.currency_code,
    page.invoice_id,
    page.name,
    page.description,
    page.kind,
    page.failure_reason,
    page.rule_name,
    page.is_problem,
    page.excluded_because,
from page
left join businesses on page.business_id = businesses.business_id
order by page.created_at desc, page.entry_id desc
