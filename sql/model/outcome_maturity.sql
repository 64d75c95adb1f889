-- One row per business and currency: the last day whose payment outcomes are all in. Direct debits take days to clear,
-- so outcomes of the newest days are still missing. A day's outcomes are in when the day is over and no payment begun
-- on it or before it is still in flight; a payment without news for 14 days counts as lost and delays nothing.
--
-- columns
--   business_id          Location
--   currency_code        Currency; null where the API gave none
--   mature_until_date    Last day whose outcomes are in
--   in_flight_count      Invoices whose payment is in flight
--   rules_version        Checksum of the rules that were applied
-- promises
--   unique: business_id, currency_code
--   not null: mature_until_date, in_flight_count
with

horizon as (select * from model.horizon),

recently_pending as (
    select entries.invoice_id
    from model.history_entries as entries
    cross join horizon
    where entries.kind = 'payment_pending' and entries.day_date >= horizon.as_of_date - 14
),

entries as (
    select *
    from model.history_entries
    where
        kind in ('payment_succeeded', 'payment_failed', 'payment_pending')
        and invoice_id in (select recently_pending.invoice_id from recently_pending)
),

groups as (
    select distinct
        business_id,
        currency_code,
        rules_version,
    from model.history_entries
    union
    select
        business_id,
        currency_code,
        rules_version,
    from model.excluded_attempts
),

invoices as (select * from model.invoices),

newest_entries as (
    select
        invoice_id,
        arg_max(kind, struct_pack(created_at := created_at, entry_id := entry_id)) as kind,
        -- Several entries report one flight (submitted, processing): it began with the first after the last outcome.
        max(created_at) filter (where kind <> 'payment_pending') as last_outcome_at,
    from entries
    group by invoice_id
),

in_flight as (
    select
        entries.business_id,
        entries.currency_code,
        entries.invoice_id,
        min(entries.day_date) as begun_date,
    from entries
    inner join newest_entries on entries.invoice_id = newest_entries.invoice_id
    inner join invoices on entries.invoice_id = invoices.invoice_id
    cross join horizon
    where
        newest_entries.kind = 'payment_pending'
        and entries.kind = 'payment_pending'
        and (newest_entries.last_outcome_at is null or entries.created_at >= newest_entries.last_outcome_at)
        and not invoices.is_paid
        and not invoices.is_refunded
        and invoices.excluded_because is null
        and entries.day_date >= horizon.as_of_date - 14
    group by entries.business_id, entries.currency_code, entries.invoice_id
),

outcome_maturity as (
    select
        groups.business_id,
        groups.currency_code,
        least(any_value(horizon.last_complete_date), min(in_flight.begun_date) - 1) as mature_until_date,
        count(in_flight.invoice_id) as in_flight_count,
        any_value(groups.rules_version) as rules_version,
    from groups
    cross join horizon
    left join in_flight
        on
            groups.business_id is not distinct from in_flight.business_id
            and groups.currency_code is not distinct from in_flight.currency_code
    group by groups.business_id, groups.currency_code
)

select * from outcome_maturity
