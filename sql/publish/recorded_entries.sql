-- One row per history entry that this program created or was asked to create, known by the reference in its text.
--
-- columns
--   reference                     What `[ref ...]` at the end of the entry's text holds
--   source                        The verb that it came by: record or escalate
--   invoice_id                    Invoice that it is about
--   business_id                   Location that issued the invoice; null while no sync has seen the invoice
--   currency_code                 Currency of that location
--   name                          Title of the entry
--   description                   Text of the entry
--   is_problem                    Whether it is flagged
--   notification_was_requested    True where a notification was asked for
--   state                         planned (not sent), sending, confirmed (created), refused (not created), unsure
--                                 (nobody knows whether it was created)
--   entry_id                      Id of the history entry; null until it is confirmed
--   is_synced                     True where a sync has found the entry in the API
--   attempt_count                 Requests that tried to create it
--   detail                        Why it was refused, is unsure, or was not sent
--   planned_at                    When it was asked for
--   sent_at                       When the newest request to create it began
--   changed_at                    When the state last changed
-- promises
--   unique: reference
--   not null required_columns: reference, source, invoice_id, name, state, attempt_count, planned_at, changed_at
--   accepted: state in (planned, sending, confirmed, refused, unsure)
--   holds: (state = 'confirmed') = (entry_id is not null)
-- personal
--   name
--   description
--   detail
with

outbox as (select * from record.outbox),

invoices as (select * from model.invoices),

entries as (select * from model.history_entries),

own_entries as (
    select
        invoice_id,
        description,
    from entries
    where kind = 'own_record'
),

landed as (
    select distinct outbox.reference
    from outbox
    inner join own_entries
        on
            outbox.invoice_id = own_entries.invoice_id
            and contains(own_entries.description, '[ref ' || outbox.reference || ']')
),

recorded_entries as (
    select
        outbox.reference,
        outbox.source,
        outbox.invoice_id,
        invoices.business_id,
        invoices.currency_code,
        outbox.name,
        outbox.description,
        outbox.is_problem,
        outbox.notify as notification_was_requested,
        outbox.state,
        outbox.entry_id,
        landed.reference is not null as is_synced,
        outbox.attempt_count,
        outbox.detail,
        outbox.planned_at,
        outbox.sent_at,
        outbox.changed_at,
    from outbox
    left join invoices on outbox.invoice_id = invoices.invoice_id
    left join landed on outbox.reference = landed.reference
)

select * from recorded_entries
order by planned_at, reference
