-- Invoices that may have changed without their UpdatedOn moving: those that are held as open, for Nexudus applies
-- payments and credits so; and those that an entry has shown since in another state of payment.
--
-- columns
--   record_key    What the invoice is looked up by
--   seen_at       When it was last read
with

held as (
    select
        id,
        seen_at,
        coalesce(paid, false) as is_paid,
        coalesce(refunded, false) as is_refunded,
        not coalesce(draft, false)
        and not coalesce(void, false)
        and coalesce(
            due_amount, total_amount - coalesce(paid_amount, 0) - coalesce(credited_amount, 0), 1
        ) > 0 as is_open,
    from land.coworker_invoices
    where deleted_at is null
),

entries as (
    select
        coworker_invoice_id as id,
        max(seen_at) as seen_at,
        arg_max(coworker_invoice_paid, seen_at) as is_paid,
        arg_max(coworker_invoice_refunded, seen_at) as is_refunded,
    from land.coworker_invoice_histories
    where deleted_at is null
    group by coworker_invoice_id
)

select
    held.id as record_key,
    held.seen_at,
from held
left join entries on held.id = entries.id and held.seen_at < entries.seen_at
where
    held.is_open
    or entries.is_paid != held.is_paid
    or entries.is_refunded != held.is_refunded;
