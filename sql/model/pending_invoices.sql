-- One row per invoice with a pending entry: when its first payment began, and whether a payment is in flight. A payment
-- begins with the first pending entry after the last outcome; further ones (submitted, processing) are
-- news of it. Without news for NEXUDUS_PAYMENT_LOST_AFTER_DAYS it counts as lost.
--
-- columns
--   invoice_id          Invoice
--   business_id         Location that issued it
--   currency_code       Currency of that location; null where the API gave none
--   first_pending_at    When its first pending entry was made
--   in_flight_at        When the payment without an outcome began; null where each has one
--   in_flight_date      Calendar day of in_flight_at in the reporting zone
--   pending_state       in_flight; lost (no news for too long); closed (the invoice was paid, refunded, credited or
--                       voided without an outcome entry); concluded (each payment has an outcome)
--   rules_version       Checksum of the rules that were applied
-- promises
--   unique: invoice_id
--   not null: invoice_id, first_pending_at, pending_state
--   accepted: pending_state in (in_flight, lost, closed, concluded)
-- published
with

horizon as (select * from model.horizon),

invoices as (select * from model.invoices),

pending_entries as (
    select * from model.history_entries
    where kind = 'payment_pending' and excluded_because is null
),

last_attempts as (
    select
        invoice_id,
        attempted_at,
        entry_id,
    from model.payment_attempts
    where is_last_attempt
),

sums as (
    select
        pending_entries.invoice_id,
        any_value(pending_entries.business_id) as business_id,
        any_value(pending_entries.currency_code) as currency_code,
        min(pending_entries.created_at) as first_pending_at,
        min(pending_entries.created_at) filter (
            where
            last_attempts.entry_id is null
            or (pending_entries.created_at, pending_entries.entry_id)
            > (last_attempts.attempted_at, last_attempts.entry_id)
        ) as in_flight_at,
        max(pending_entries.day_date) as last_news_date,
        any_value(pending_entries.rules_version) as rules_version,
    from pending_entries
    left join last_attempts on pending_entries.invoice_id = last_attempts.invoice_id
    group by pending_entries.invoice_id
),

pending_invoices as (
    select
        sums.invoice_id,
        sums.business_id,
        sums.currency_code,
        sums.first_pending_at,
        sums.in_flight_at,
        local_date(sums.in_flight_at) as in_flight_date,
        case
            when sums.in_flight_at is null then 'concluded'
            when invoices.is_paid or invoices.invoice_status in ('refunded', 'credited', 'voided') then 'closed'
            when sums.last_news_date < horizon.as_of_date - getvariable('payment_lost_after_days')::integer then 'lost'
            else 'in_flight'
        end as pending_state,
        sums.rules_version,
    from sums
    inner join invoices on sums.invoice_id = invoices.invoice_id
    cross join horizon
)

select * from pending_invoices
