-- One row per entry that reports the outcome of a payment: what was due of the invoice when the entry was made, as far
-- as is known. That is the invoice's total as it came with the entry when it was first read, less what had been paid
-- or credited when the invoice itself was last read before. What an invoice became later changes no attempt.
--
-- columns
--   entry_id       Id of the history entry
--   currency_code  Currency of due_amount; null where the API gave none
--   due_amount     What was due then; null where no amount is known
-- promises
--   unique: entry_id
--   not null: entry_id
with

entries as (
    select
        id as entry_id,
        coworker_invoice_id as invoice_id,
        created_on,
        first_seen_at,
        content_hash,
        coworker_invoice_total_amount as total_amount,
    from land.coworker_invoice_histories
    where deleted_at is null
),

attempts as (
    select
        entry_id,
        currency_code,
    from model.history_entries
    where kind in ('payment_succeeded', 'payment_failed')
),

-- Only what was read again with another content has an older one.
first_totals as (
    select
        versions.id as entry_id,
        any_value(try_cast(versions.raw ->> 'CoworkerInvoiceTotalAmount' as decimal(18, 4))) as total_amount,
    from land.coworker_invoice_history_versions as versions
    inner join entries
        on
            versions.id = entries.entry_id
            and versions.content_hash <> entries.content_hash
            and versions.seen_at = entries.first_seen_at
    group by versions.id
),

settled_before as (
    select
        id as invoice_id,
        seen_at,
        coalesce(try_cast(raw ->> 'PaidAmount' as decimal(18, 4)), 0)
        + coalesce(try_cast(raw ->> 'CreditedAmount' as decimal(18, 4)), 0) as settled_amount,
    from land.coworker_invoice_versions
),

totals as (
    select
        entries.entry_id,
        entries.invoice_id,
        entries.created_on,
        attempts.currency_code,
        coalesce(first_totals.total_amount, entries.total_amount) as total_amount,
    from entries
    inner join attempts on entries.entry_id = attempts.entry_id
    left join first_totals on entries.entry_id = first_totals.entry_id
),

attempt_amounts as (
    select
        totals.entry_id,
        totals.currency_code,
        -- An attempt on what had been paid in full was made on something else: its total says more than 0.
        coalesce(
            nullif(greatest(totals.total_amount - settled_before.settled_amount, 0), 0), totals.total_amount
        ) as due_amount,
    from totals
    asof left join settled_before
        on totals.invoice_id = settled_before.invoice_id and totals.created_on >= settled_before.seen_at
)

select * from attempt_amounts
