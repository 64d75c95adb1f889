-- One row: how far the landed data reaches. What depends on "today" counts from here, not from the clock, so that
-- the same data gives the same figures on any day.
--
-- columns
--   as_of_at              End of the newest closed range of UpdatedOn; without a ledger, when a row was last seen
--   as_of_date            Calendar day of as_of_at in the reporting zone; it may have hours to go
--   last_complete_date    The last calendar day that was wholly over at as_of_at
--   reporting_timezone    IANA zone whose days and months the figures use
-- promises
--   unique: as_of_at
-- reads
--   land.reconciliations
with

windows as (
    select * from land.windows
    where entity = 'CoworkerInvoiceHistory'
),

entries as (select * from land.coworker_invoice_histories),

closed as (select max(to_at) filter (where axis = 'UpdatedOn') as closed_until from windows),

seen as (select max(seen_at) as seen_until from entries),

newest as (
    select coalesce(closed.closed_until, seen.seen_until) as as_of_at
    from closed
    cross join seen
),

horizon as (
    select
        as_of_at,
        local_date(as_of_at) as as_of_date,
        local_date(as_of_at) - 1 as last_complete_date,
        getvariable('reporting_timezone') as reporting_timezone,
    from newest
)

select * from horizon
