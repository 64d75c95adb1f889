-- One row per customer and currency with a payment attempt: how collecting from them goes. Ids only, no names.
--
-- columns
--   coworker_id                  Customer, by the API's Id of the coworker; null: invoices for which none is known
--   currency_code                Currency of every amount in the row; null where the API gave none
--   first_seen_date              Day of the oldest entry on an invoice of theirs with an attempt, in the reporting zone
--   last_attempt_date            Day of the newest attempt
--   attempted_invoice_count      Invoices with an attempt
--   attempt_count                Attempts
--   failed_attempt_count         Those that failed
--   attempt_90_day_count         Attempts of the last 90 days, the last day of the data included
--   failed_attempt_90_day_count  Those that failed
--   failed_invoice_90_day_count  Invoices with a failed attempt in these days
--   open_invoice_count           Invoices that failed and are not paid
--   open_amount                  What is due of them
--   collected_invoice_count      Invoices of which an attempt succeeded
--   has_ever_been_collected      True where an attempt succeeded at least once
--   is_repeat_offender           True with two or more invoices that failed in the last 90 days
--   is_new                       True where first_seen_date is in the last 90 days; else they are returning
--   rules_version                Checksum of the rules that were applied
-- promises
--   unique: coworker_id, currency_code
--   not null required_columns: attempt_count, failed_attempt_count, open_amount, has_ever_been_collected,
--       is_repeat_offender, is_new
--   holds parts_are_no_more_than_the_whole: failed_attempt_count <= attempt_count
--       and failed_attempt_90_day_count <= attempt_90_day_count and attempt_90_day_count <= attempt_count
--       and failed_invoice_90_day_count <= failed_attempt_90_day_count
--       and open_invoice_count <= attempted_invoice_count and collected_invoice_count <= attempted_invoice_count
-- pseudonymous
--   coworker_id
-- published
with

horizon as (select as_of_date - 90 as before_90_days_date from model.horizon),

open_invoices as (
    select
        invoice_id,
        open_amount,
    from model.failed_invoice_recoveries
    where recovery_state in ('open', 'partly_recovered')
),

invoice_attempts as (
    select
        attempts.invoice_id,
        max(attempts.day_date) as last_attempt_date,
        count(*) as attempt_count,
        count(*) filter (where attempts.outcome = 'failed') as failed_attempt_count,
        count(*) filter (where attempts.day_date > horizon.before_90_days_date) as attempt_90_day_count,
        count(*) filter (
            where attempts.day_date > horizon.before_90_days_date and attempts.outcome = 'failed'
        ) as failed_attempt_90_day_count,
        any_value(attempts.rules_version) as rules_version,
    from model.payment_attempts as attempts
    cross join horizon
    group by attempts.invoice_id
),

sums as (
    select
        invoices.coworker_id,
        invoices.currency_code,
        local_date(min(invoices.first_entry_at)) as first_seen_date,
        max(invoice_attempts.last_attempt_date) as last_attempt_date,
        count(*) as attempted_invoice_count,
        sum(invoice_attempts.attempt_count)::bigint as attempt_count,
        sum(invoice_attempts.failed_attempt_count)::bigint as failed_attempt_count,
        sum(invoice_attempts.attempt_90_day_count)::bigint as attempt_90_day_count,
        sum(invoice_attempts.failed_attempt_90_day_count)::bigint as failed_attempt_90_day_count,
        count(*) filter (where invoice_attempts.failed_attempt_90_day_count > 0) as failed_invoice_90_day_count,
        count(open_invoices.invoice_id) as open_invoice_count,
        coalesce(sum(open_invoices.open_amount), 0) as open_amount,
        count(*) filter (
            where invoice_attempts.attempt_count > invoice_attempts.failed_attempt_count
        ) as collected_invoice_count,
        any_value(invoice_attempts.rules_version) as rules_version,
    from invoice_attempts
    inner join model.invoices as invoices on invoice_attempts.invoice_id = invoices.invoice_id
    left join open_invoices on invoice_attempts.invoice_id = open_invoices.invoice_id
    group by invoices.coworker_id, invoices.currency_code
),

customers as (
    select
        sums.* exclude (rules_version), -- noqa: RF02
        sums.collected_invoice_count > 0 as has_ever_been_collected,
        sums.failed_invoice_90_day_count >= 2 as is_repeat_offender,
        sums.first_seen_date > horizon.before_90_days_date as is_new,
        sums.rules_version,
    from sums
    cross join horizon
)

select * from customers
