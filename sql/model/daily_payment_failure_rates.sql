-- One row per business, currency and day with a payment attempt, counted or left out, or a pending entry.
-- Each rate stands beside its numerator and denominator; see `docs/figures.md` for definitions.
--
-- columns
--   business_id                           Location that issued the invoices
--   currency_code                         Currency of every amount in the row; null where the API gave none
--   day_date                              Calendar day in the reporting zone on which the entries were made
--   attempt_count                         Attempts: entries that report a payment as succeeded or failed
--   failed_attempt_count                  Those that failed
--   succeeded_attempt_count               Those that succeeded
--   unflagged_failed_attempt_count        Failed attempts that the API does not flag as a problem
--   pending_count                         Entries of payments in flight: no outcome, in no rate
--   excluded_attempt_count                Attempts left out by rule: on draft, zero or no invoices, or deleted later
--   attempted_invoice_count               Invoices with an attempt in the day
--   failed_invoice_count                  Invoices with a failed attempt in the day
--   first_attempt_count                   Invoices whose first attempt ever was in the day
--   failed_first_attempt_count            Those whose first attempt failed
--   attempted_amount                      Sum of the invoice amounts over the attempts
--   failed_amount                         Sum of the invoice amounts over the failed attempts
--   first_attempt_amount                  Sum of the invoice amounts over the first attempts
--   failed_first_attempt_amount           Sum of the invoice amounts over the first attempts that failed
--   attempt_failure_ratio                 failed_attempt_count / attempt_count
--   attempt_failure_low_ratio             Lower end of its 95 % Wilson interval
--   attempt_failure_high_ratio            Upper end of its 95 % Wilson interval
--   invoice_failure_ratio                 failed_invoice_count / attempted_invoice_count
--   first_attempt_failure_ratio           failed_first_attempt_count / first_attempt_count
--   first_attempt_amount_failure_ratio    failed_first_attempt_amount / first_attempt_amount
--   amount_failure_ratio                  failed_amount / attempted_amount
--   is_small_sample                       True under 20 attempts: read the interval, not the rate
--   is_mature                             True where the outcomes of the whole day are in
--   mature_until_date                     Last day whose outcomes are in, for this business and currency
--   rules_version                         Checksum of the rules that were applied
-- promises
--   unique: business_id, currency_code, day_date
--   not null required_columns: day_date, attempt_count, failed_attempt_count, pending_count, is_small_sample,
--       is_mature, rules_version
--   holds attempts_are_failed_or_succeeded: attempt_count = failed_attempt_count + succeeded_attempt_count
--   holds failed_invoices_were_attempted: failed_invoice_count <= attempted_invoice_count and attempted_invoice_count
--       <= attempt_count
--   holds: failed_amount <= attempted_amount
--   holds rate_is_in_its_interval: attempt_failure_ratio between attempt_failure_low_ratio and
--       attempt_failure_high_ratio
--   holds interval_is_between_0_and_1: attempt_failure_low_ratio >= 0 and attempt_failure_high_ratio <= 1
--   holds: (attempt_failure_ratio is null) = (attempt_count = 0)
-- published
with

attempts as (select * from model.payment_attempts),

entries as (select * from model.history_entries),

excluded as (select * from model.excluded_attempts),

maturity as (select * from model.outcome_maturity),

attempt_sums as (
    select
        business_id,
        currency_code,
        day_date,
        count(*) as attempt_count,
        count(*) filter (where outcome = 'failed') as failed_attempt_count,
        count(*) filter (where outcome = 'succeeded') as succeeded_attempt_count,
        count(*) filter (where outcome = 'failed' and not is_problem) as unflagged_failed_attempt_count,
        count(distinct invoice_id) as attempted_invoice_count,
        count(distinct invoice_id) filter (where outcome = 'failed') as failed_invoice_count,
        count(*) filter (where is_first_attempt) as first_attempt_count,
        count(*) filter (where is_first_attempt and outcome = 'failed') as failed_first_attempt_count,
        sum(invoice_amount) as attempted_amount,
        sum(invoice_amount) filter (where outcome = 'failed') as failed_amount,
        sum(invoice_amount) filter (where is_first_attempt) as first_attempt_amount,
        sum(invoice_amount) filter (where is_first_attempt and outcome = 'failed') as failed_first_attempt_amount,
    from attempts
    group by business_id, currency_code, day_date
),

pending_sums as (
    select
        business_id,
        currency_code,
        day_date,
        count(*) as pending_count,
    from entries
    where kind = 'payment_pending' and excluded_because is null
    group by business_id, currency_code, day_date
),

excluded_sums as (
    select
        business_id,
        currency_code,
        day_date,
        sum(excluded_attempt_count) as excluded_attempt_count,
    from excluded
    group by business_id, currency_code, day_date
),

parts as (
    select * from attempt_sums
    union all by name
    select * from pending_sums
    union all by name
    select * from excluded_sums
),

-- Each number comes from one part only, so the sums just bring them into one row, with 0 for what is missing.
sums as (
    select
        business_id,
        currency_code,
        day_date,
        coalesce(sum(attempt_count), 0)::bigint as attempt_count,
        coalesce(sum(failed_attempt_count), 0)::bigint as failed_attempt_count,
        coalesce(sum(succeeded_attempt_count), 0)::bigint as succeeded_attempt_count,
        coalesce(sum(unflagged_failed_attempt_count), 0)::bigint as unflagged_failed_attempt_count,
        coalesce(sum(pending_count), 0)::bigint as pending_count,
        coalesce(sum(excluded_attempt_count), 0)::bigint as excluded_attempt_count,
        coalesce(sum(attempted_invoice_count), 0)::bigint as attempted_invoice_count,
        coalesce(sum(failed_invoice_count), 0)::bigint as failed_invoice_count,
        coalesce(sum(first_attempt_count), 0)::bigint as first_attempt_count,
        coalesce(sum(failed_first_attempt_count), 0)::bigint as failed_first_attempt_count,
        coalesce(sum(attempted_amount), 0) as attempted_amount,
        coalesce(sum(failed_amount), 0) as failed_amount,
        coalesce(sum(first_attempt_amount), 0) as first_attempt_amount,
        coalesce(sum(failed_first_attempt_amount), 0) as failed_first_attempt_amount,
    from parts
    group by business_id, currency_code, day_date
),

rates as (
    select
        sums.*,
        ratio(sums.failed_attempt_count, sums.attempt_count) as attempt_failure_ratio,
        wilson_low(sums.failed_attempt_count, sums.attempt_count) as attempt_failure_low_ratio,
        wilson_high(sums.failed_attempt_count, sums.attempt_count) as attempt_failure_high_ratio,
        ratio(sums.failed_invoice_count, sums.attempted_invoice_count) as invoice_failure_ratio,
        ratio(sums.failed_first_attempt_count, sums.first_attempt_count) as first_attempt_failure_ratio,
        ratio(sums.failed_first_attempt_amount, sums.first_attempt_amount) as first_attempt_amount_failure_ratio,
        ratio(sums.failed_amount, sums.attempted_amount) as amount_failure_ratio,
        sums.attempt_count < 20 as is_small_sample,
        sums.day_date <= maturity.mature_until_date as is_mature,
        maturity.mature_until_date,
        maturity.rules_version,
    from sums
    inner join maturity
        on
            sums.business_id is not distinct from maturity.business_id
            and sums.currency_code is not distinct from maturity.currency_code
)

select * from rates
