-- One row per business, currency, day and reason for which the payment figures leave attempts out. With it totals tie
-- out: landed attempts = rows of `payment_attempts` + the counts here.
--
-- columns
--   business_id               Location that issued the invoices
--   currency_code             Currency of that location; null where the API gave none
--   day_date                  Calendar day in the reporting zone on which the entries were made
--   month_start_date          First day of that month
--   excluded_because          draft_invoice, credit_note, zero_invoice (amount zero or less), no_invoice (the entry
--                             names none),
--                             dated_in_future (after the end of the data), deleted_entry (the entry is gone from
--                             the API), reported_twice (an earlier entry reports the same attempt)
--   excluded_attempt_count    Attempts left out
--   rules_version             Checksum of the rules that were applied
-- promises
--   unique: business_id, currency_code, day_date, excluded_because
--   not null required_columns: day_date, month_start_date, excluded_because, excluded_attempt_count
--   accepted: excluded_because in (draft_invoice, credit_note, zero_invoice, no_invoice, dated_in_future,
--       deleted_entry, reported_twice)
-- reads
--   land.reconciliations
-- published
with

live_entries as (select * from model.history_entries),

deleted_entries as (
    select
        *,
        local_date(coalesce(created_on, updated_on)) as day_date,
    from land.coworker_invoice_histories
    where deleted_at is not null
),

texts as (select * from model.entry_texts),

invoices as (select * from model.invoices),

versions as (select distinct rules_version from model.entry_rules),

left_out as (
    select
        business_id,
        currency_code,
        day_date,
        excluded_because,
    from live_entries
    where kind in ('payment_succeeded', 'payment_failed') and excluded_because is not null
    union all
    select
        live_entries.business_id,
        live_entries.currency_code,
        live_entries.day_date,
        'reported_twice' as excluded_because,
    from live_entries
    inner join model.repeated_reports as repeated on live_entries.entry_id = repeated.entry_id
    union all
    select
        if(
            invoices.invoice_id is null, deleted_entries.coworker_invoice_business_id, invoices.business_id
        ) as business_id,
        if(
            invoices.invoice_id is null,
            nullif(deleted_entries.coworker_invoice_business_currency_code, ''),
            invoices.currency_code
        ) as currency_code,
        deleted_entries.day_date,
        'deleted_entry' as excluded_because,
    from deleted_entries
    inner join texts
        on
            deleted_entries.name is not distinct from texts.name
            and deleted_entries.description is not distinct from texts.description
            and coalesce(deleted_entries.is_problem, false) = texts.is_problem
    left join invoices on deleted_entries.coworker_invoice_id = invoices.invoice_id
    where texts.kind in ('payment_succeeded', 'payment_failed')
),

excluded_attempts as (
    select
        left_out.business_id,
        left_out.currency_code,
        left_out.day_date,
        date_trunc('month', left_out.day_date)::date as month_start_date,
        left_out.excluded_because,
        count(*) as excluded_attempt_count,
        versions.rules_version,
    from left_out
    cross join versions
    group by all
)

select * from excluded_attempts
