-- One row per invoice that somebody should follow up: its collection has failed three times or more and nothing else is
-- going on. A row is the history entry that `nexudus-billing escalate --send` creates on the invoice; edit thresholds
-- and wording here. The wording may reach the customer, for the entry notifies.
--
-- columns
--   invoice_id               Invoice on which the entry is made
--   name                     Title of the entry; it also tells escalations from other entries that this program made
--   description              Text of the entry; its reference is added when it is sent
--   is_problem               Whether the entry is flagged
--   notify                   Whether Nexudus sends a notification; it never does where invoices cannot be read
--   cause                    What it is about: an invoice is escalated once for the same cause
--   invoice_number           Number printed on the invoice
--   business_id              Location that issued it
--   currency_code            Currency of invoice_amount; null where the API gave none
--   invoice_amount           What is still due of the invoice, in currency_code; its amount where that is not known
--   failed_attempt_count     Failed attempts
--   last_failed_at           When the newest of them was reported
-- promises
--   unique: invoice_id
--   not null: invoice_id, name, description, is_problem, notify, cause
with

thresholds as (
    select
        3 as least_failed_attempt_count,
        interval 2 days as least_time_since_failure,
        'Payment follow-up' as name, -- noqa: RF04
),

horizon as (select * from model.horizon),

invoices as (select * from model.invoices),

entries as (select * from model.history_entries),

recoveries as (select * from model.failed_invoice_recoveries),

attempts as (select * from model.payment_attempts),

outbox as (select * from record.outbox),

-- Invoices that were read themselves and are gone.
deleted_invoices as (
    select id as invoice_id from land.coworker_invoices
    where deleted_at is not null
),

last_attempts as (
    select
        invoice_id,
        entry_id,
        outcome,
        attempted_at,
    from attempts
    where is_last_attempt
),

failing as (
    select
        recoveries.invoice_id,
        recoveries.business_id,
        recoveries.currency_code,
        coalesce(invoices.due_amount, recoveries.invoice_amount) as invoice_amount,
        recoveries.last_failure_reason,
        recoveries.failed_attempt_count,
        last_attempts.attempted_at as last_failed_at,
        'failed attempt ' || last_attempts.entry_id as cause,
        thresholds.name,
    from recoveries
    inner join last_attempts on recoveries.invoice_id = last_attempts.invoice_id and last_attempts.outcome = 'failed'
    inner join invoices on recoveries.invoice_id = invoices.invoice_id
    cross join thresholds
    cross join horizon
    where
        recoveries.recovery_state in ('open', 'partly_recovered')
        and invoices.invoice_status in ('open', 'partly_paid')
        and not invoices.is_credit_note
        and not coalesce(invoices.due_amount <= 0, false)
        and recoveries.invoice_id not in (select deleted_invoices.invoice_id from deleted_invoices)
        and recoveries.failed_attempt_count >= thresholds.least_failed_attempt_count
        and last_attempts.attempted_at <= horizon.as_of_at - thresholds.least_time_since_failure
),

-- Either the bank still has one, or our own entry says that somebody has been told; also one of which a new outbox
-- does not know. The outbox knows of entries that no sync has seen yet, and of those that the API refused.
settled as (
    select failing.invoice_id
    from failing
    inner join entries on failing.invoice_id = entries.invoice_id
    where
        entries.created_at >= failing.last_failed_at
        and (
            entries.kind = 'payment_pending'
            or (entries.name = failing.name and regexp_matches(entries.description, '\[ref [0-9a-f]{12}\]'))
        )
    union all
    select failing.invoice_id
    from failing
    inner join outbox on failing.invoice_id = outbox.invoice_id and failing.cause = outbox.cause
    where outbox.state in ('confirmed', 'refused')
),

worded as (
    select
        failing.*,
        invoices.invoice_number,
        replace(coalesce(failing.last_failure_reason, 'unknown'), '_', ' ') as reason,
        if(
            failing.invoice_amount = round(failing.invoice_amount, 2),
            failing.invoice_amount::decimal(18, 2)::varchar,
            failing.invoice_amount::varchar
        ) as amount,
    from failing
    inner join invoices on failing.invoice_id = invoices.invoice_id
    where failing.invoice_id not in (select settled.invoice_id from settled)
),

escalations as (
    select
        invoice_id,
        name,
        failed_attempt_count || ' attempts to collect this invoice have failed, the last on '
        || strftime(last_failed_at at time zone getvariable('reporting_timezone'), '%d %B %Y')
        || if(reason = 'unknown', '. ', ' (' || reason || '). ')
        || concat_ws(' ', amount, currency_code) || ' is open.' as description,
        true as is_problem,
        true as notify, -- noqa: RF04
        cause,
        invoice_number,
        business_id,
        currency_code,
        invoice_amount,
        failed_attempt_count,
        last_failed_at,
    from worded
)

select * from escalations
order by last_failed_at, invoice_id
