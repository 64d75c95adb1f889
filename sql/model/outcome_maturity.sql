-- One row per business and currency: the last day for which the outcome of every payment that began by then is known.
-- Direct debits take days to clear. A day is mature when it is over and no payment begun on it or before it is in
-- flight; a lost payment (see `pending_invoices`) delays nothing.
--
-- columns
--   business_id          Location
--   currency_code        Currency; null where the API gave none
--   mature_until_date    Last day whose outcomes are in
--   in_flight_count      Invoices with a payment in flight
--   rules_version        Checksum of the rules that were applied
-- promises
--   unique: business_id, currency_code
--   not null: mature_until_date, in_flight_count
with

horizon as (select * from model.horizon),

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

in_flight as (
    select * from model.pending_invoices
    where pending_state = 'in_flight'
),

outcome_maturity as (
    select
        groups.business_id,
        groups.currency_code,
        least(any_value(horizon.last_complete_date), min(in_flight.in_flight_date) - 1) as mature_until_date,
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
