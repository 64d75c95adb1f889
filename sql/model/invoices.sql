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
-- published
with

entries as not materialized (select * from land.coworker_invoice_histories),

-- One answer may hold several entries of an invoice: of those the one that changed last counts, then the larger Id.
-- Only its Id is sought, and the rest joined to it: whole copies to compare and keep would not fit into little memory.
newest_observations as (
    select
        coworker_invoice_id as invoice_id,
        arg_max(id, struct_pack(seen_at := seen_at, updated_on := updated_on, id := id)) as entry_id,
        max(seen_at) as as_of_at,
        min(created_on) filter (where deleted_at is null) as first_entry_at,
        max(created_on) filter (where deleted_at is null) as last_entry_at,
        count(*) filter (where deleted_at is null) as entry_count,
    from entries
    where coworker_invoice_id is not null
    group by coworker_invoice_id
    having count(*) filter (where deleted_at is null) > 0
),

invoices as (
    select
        newest_observations.invoice_id,
        entries.coworker_invoice_invoice_number as invoice_number,
        entries.coworker_invoice_business_id as business_id,
        nullif(entries.coworker_invoice_business_currency_code, '') as currency_code,
        entries.coworker_invoice_coworker_id as coworker_id,
        entries.coworker_invoice_coworker_full_name as coworker_full_name,
        entries.coworker_invoice_bill_to_name as bill_to_name,
        entries.coworker_invoice_total_amount as total_amount,
        coalesce(entries.coworker_invoice_draft, false) as is_draft,
        coalesce(entries.coworker_invoice_paid, entries.coworker_invoice_paid_on is not null) as is_paid,
        entries.coworker_invoice_paid_on as paid_at,
        coalesce(entries.coworker_invoice_refunded, entries.coworker_invoice_refunded_on is not null) as is_refunded,
        entries.coworker_invoice_refunded_on as refunded_at,
        entries.coworker_invoice_due_date as due_at,
        case
            when entries.coworker_invoice_draft then 'draft_invoice'
            when entries.coworker_invoice_total_amount <= 0 then 'zero_invoice'
        end as excluded_because,
        newest_observations.first_entry_at,
        newest_observations.last_entry_at,
        newest_observations.entry_count,
        newest_observations.as_of_at,
    from newest_observations
    inner join entries on newest_observations.entry_id = entries.id
)

select * from invoices
