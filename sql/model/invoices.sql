-- One row per invoice that has a live history entry, as it was at its newest observation. Each history entry carries a
-- copy of its invoice, as of the moment when the entry was seen; the copy seen last is the one that counts.
--
-- columns
--   invoice_id            Id of the invoice
--   invoice_number        Number printed on the invoice
--   business_id           Location that issued it
--   currency_code         Currency of that location (ISO 4217); null where the API gave none
--   coworker_id           Customer who owns it
--   coworker_full_name    Name of that customer
--   bill_to_name          Name it is billed to
--   total_amount          Amount to pay, in currency_code
--   is_draft              True while it is a draft
--   is_paid               True when it is fully paid
--   paid_at               When it was paid; null while it is not
--   is_refunded           True when it was refunded
--   refunded_at           When it was refunded
--   due_at                When it is due
--   excluded_because      Why the payment figures leave it out (draft_invoice, zero_invoice); null: they count it
--   first_entry_at        When its oldest live history entry was created
--   last_entry_at         When its newest live history entry was created
--   entry_count           Number of its live history entries
--   as_of_at              When this state was observed
-- promises
--   unique: invoice_id
--   not null: invoice_id, is_draft, is_paid, is_refunded, as_of_at
--   accepted: excluded_because in (draft_invoice, zero_invoice)
--   holds: entry_count > 0
-- personal
--   coworker_full_name
--   bill_to_name
-- reads
--   land.reconciliations
with

entries as (select * from land.coworker_invoice_histories),

newest_observations as (
    select
        coworker_invoice_id as invoice_id,
        arg_max(
            struct_pack(
                invoice_number := coworker_invoice_invoice_number,
                business_id := coworker_invoice_business_id,
                currency_code := coworker_invoice_business_currency_code,
                coworker_id := coworker_invoice_coworker_id,
                coworker_full_name := coworker_invoice_coworker_full_name,
                bill_to_name := coworker_invoice_bill_to_name,
                total_amount := coworker_invoice_total_amount,
                draft := coworker_invoice_draft,
                paid := coworker_invoice_paid,
                paid_at := coworker_invoice_paid_on,
                refunded := coworker_invoice_refunded,
                refunded_at := coworker_invoice_refunded_on,
                due_at := coworker_invoice_due_date
            ),
            struct_pack(seen_at := seen_at, updated_on := updated_on, id := id)
        ) as seen,
        max(seen_at) as as_of_at,
        min(created_on) filter (where deleted_at is null) as first_entry_at,
        max(created_on) filter (where deleted_at is null) as last_entry_at,
        count(*) filter (where deleted_at is null) as entry_count,
    from entries
    where coworker_invoice_id is not null
    group by coworker_invoice_id
    having count(*) filter (where deleted_at is null) > 0
),

unpacked as (
    select
        *,
        -- The struct's fields become columns of their own names.
        unnest(seen), -- noqa: AL03
    from newest_observations
),

invoices as (
    select
        invoice_id,
        invoice_number,
        business_id,
        nullif(currency_code, '') as currency_code,
        coworker_id,
        coworker_full_name,
        bill_to_name,
        total_amount,
        coalesce(draft, false) as is_draft,
        coalesce(paid, paid_at is not null) as is_paid,
        paid_at,
        coalesce(refunded, refunded_at is not null) as is_refunded,
        refunded_at,
        due_at,
        case
            when draft then 'draft_invoice'
            when total_amount <= 0 then 'zero_invoice'
        end as excluded_because,
        first_entry_at,
        last_entry_at,
        entry_count,
        as_of_at,
    from unpacked
)

select * from invoices
