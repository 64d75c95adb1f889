-- One row per range of days, business (and all of them together) and currency with a payment attempt, counted or left
-- out, or a payment in flight: every failure rate. The daily, monthly and period tables select from it, so each figure
-- is defined here, once.
--
-- columns
--   range_id                                          Number of the range, as in `range_days`
--   from_date                                         Its first day, in the reporting zone
--   until_date                                        Its last day
--   until_at                                          Instant at which it ends; null where its last day counts whole
--   is_all_businesses                                 True in the rows that take all businesses of the currency
--                                                     together
--   business_id                                       Location that issued the invoices; null in the rows of all
--                                                     businesses
--   currency_code                                     Currency of every amount in the row; null where the API gave none
--   first_attempt_count                               Invoices whose first attempt ever was in the range
--   failed_first_attempt_count                        Those whose first attempt failed
--   first_attempt_failure_ratio                       The headline: failed_first_attempt_count / first_attempt_count.
--                                                     Retries do not move it
--   first_attempt_failure_low_ratio                   Lower end of its 95 % interval (Wilson)
--   first_attempt_failure_high_ratio                  Upper end of its 95 % interval
--   first_attempt_amount                              Sum of the invoice amounts over the first attempts
--   failed_first_attempt_amount                       Sum of the invoice amounts over the first attempts that failed
--   first_attempt_amount_failure_ratio                The headline by amount: failed_first_attempt_amount /
--                                                     first_attempt_amount
--   first_attempt_amount_failure_low_ratio            Lower end of its 95 % interval (Wilson, effective sample size)
--   first_attempt_amount_failure_high_ratio           Upper end of its 95 % interval
--   attempt_count                                     Attempts: entries that report a payment as succeeded or failed
--   failed_attempt_count                              Those that failed
--   succeeded_attempt_count                           Those that succeeded
--   unflagged_failed_attempt_count                    Failed attempts that the API does not flag as a problem
--   attempt_failure_ratio                             failed_attempt_count / attempt_count. Each retry counts
--   attempt_failure_low_ratio                         Lower end of its 95 % interval (Wilson, effective sample size:
--                                                     retries of one invoice are not independent)
--   attempt_failure_high_ratio                        Upper end of its 95 % interval
--   effective_attempt_count                           How many independent attempts the attempts are worth
--   attempted_invoice_count                           Invoices with an attempt in the range
--   failed_invoice_count                              Invoices with a failed attempt in the range
--   invoice_failure_ratio                             failed_invoice_count / attempted_invoice_count
--   attempted_amount                                  Sum of the invoice amounts over the attempts
--   failed_amount                                     Sum of the invoice amounts over the failed attempts
--   amount_failure_ratio                              failed_amount / attempted_amount
--   no_method_first_attempt_count                     First attempts that failed with reason no_payment_method
--   no_method_first_attempt_amount                    Sum of the invoice amounts over them
--   no_method_attempt_count                           Attempts that failed with reason no_payment_method
--   with_method_first_attempt_failure_ratio           first_attempt_failure_ratio without those of no_payment_method
--   with_method_first_attempt_failure_low_ratio       Lower end of its 95 % interval (Wilson)
--   with_method_first_attempt_failure_high_ratio      Upper end of its 95 % interval
--   with_method_first_attempt_amount_failure_ratio    first_attempt_amount_failure_ratio without those
--   with_method_attempt_failure_ratio                 attempt_failure_ratio without those
--   automatic_first_attempt_count                     First attempts of invoices that are collected automatically
--   failed_automatic_first_attempt_count              Those that failed
--   automatic_first_attempt_amount                    Sum of the invoice amounts over the first attempts of such
--                                                     invoices
--   failed_automatic_first_attempt_amount             Sum of the invoice amounts over those that failed
--   automatic_attempt_count                           Attempts on invoices that are collected automatically
--   failed_automatic_attempt_count                    Those that failed
--   automatic_first_attempt_failure_ratio             failed_automatic_first_attempt_count /
--                                                     automatic_first_attempt_count
--   automatic_first_attempt_failure_low_ratio         Lower end of its 95 % interval (Wilson)
--   automatic_first_attempt_failure_high_ratio        Upper end of its 95 % interval
--   automatic_first_attempt_amount_failure_ratio      failed_automatic_first_attempt_amount /
--                                                     automatic_first_attempt_amount
--   automatic_attempt_failure_ratio                   failed_automatic_attempt_count / automatic_attempt_count
--   pending_count                                     Payments that began in the range and are still in flight: no
--                                                     outcome, in no rate
--   excluded_attempt_count                            Attempts left out by rule; `excluded_attempts` says why
--   is_small_sample                                   True under 20 first attempts, or where the attempts are worth
--                                                     fewer than 20 independent ones: read the interval, not the rate
--   no_rate_because                                   wording_not_understood where the rates are null because more
--                                                     than a tenth of what the row rests on is in words that no rule
--                                                     explains; else null. See `wording_coverage`
--   rules_version                                     Checksum of the rules that were applied
-- promises
--   unique one_row_per_range_and_scope: range_id, is_all_businesses, business_id, currency_code
--   not null required_columns: range_id, is_all_businesses, attempt_count, first_attempt_count, pending_count,
--       is_small_sample, rules_version
--   holds attempts_are_failed_or_succeeded: attempt_count = failed_attempt_count + succeeded_attempt_count
--   holds failed_invoices_were_attempted: failed_invoice_count <= attempted_invoice_count
--       and attempted_invoice_count <= attempt_count
--   holds first_attempts_are_attempts: failed_first_attempt_count <= first_attempt_count
--       and first_attempt_count <= attempted_invoice_count
--   holds parts_are_no_more_than_the_whole: failed_amount <= attempted_amount
--       and failed_automatic_attempt_count <= automatic_attempt_count and automatic_attempt_count <= attempt_count
--       and no_method_attempt_count <= failed_attempt_count
--   holds attempt_rate_is_in_its_interval: attempt_failure_ratio between attempt_failure_low_ratio
--       and attempt_failure_high_ratio
--   holds first_attempt_rate_is_in_its_interval: first_attempt_failure_ratio between first_attempt_failure_low_ratio
--       and first_attempt_failure_high_ratio
--   holds first_amount_rate_is_in_its_interval: first_attempt_amount_failure_ratio
--       between first_attempt_amount_failure_low_ratio and first_attempt_amount_failure_high_ratio
--   holds intervals_are_between_0_and_1: attempt_failure_low_ratio >= 0 and attempt_failure_high_ratio <= 1
--       and first_attempt_failure_low_ratio >= 0 and first_attempt_failure_high_ratio <= 1
--   holds effective_attempts_are_attempts: effective_attempt_count <= attempt_count
--   holds no_rate_without_attempts: (attempt_failure_ratio is null)
--       = (attempt_count = 0 or no_rate_because is not null)
with

range_days as (select * from model.range_days),

versions as (select distinct rules_version from model.entry_rules),

ranges as (
    select distinct
        range_id,
        from_date,
        until_date,
        until_at,
    from range_days
),

attempts as (
    select
        range_days.range_id,
        attempts.business_id,
        attempts.currency_code,
        attempts.invoice_id,
        attempts.outcome = 'failed' as has_failed,
        not attempts.is_problem as is_unflagged,
        coalesce(attempts.failure_reason = 'no_payment_method', false) as has_no_method,
        attempts.is_first_attempt as is_first,
        attempts.is_first_attempt and attempts.is_last_attempt as is_only,
        attempts.is_automatic,
        attempts.invoice_amount as amount,
        attempts.invoice_amount::double * attempts.invoice_amount::double as amount_square,
    from model.payment_attempts as attempts
    inner join range_days on attempts.day_date = range_days.day_date
    where range_days.until_at is null or attempts.attempted_at < range_days.until_at
),

attempt_sums as (
    select
        range_id,
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        count(*) as attempt_count,
        count(*) filter (where has_failed) as failed_attempt_count,
        count(*) filter (where not has_failed) as succeeded_attempt_count,
        count(*) filter (where has_failed and is_unflagged) as unflagged_failed_attempt_count,
        count(*) filter (where has_no_method) as no_method_attempt_count,
        count(*) filter (where is_automatic) as automatic_attempt_count,
        count(*) filter (where is_automatic and has_failed) as failed_automatic_attempt_count,
        sum(amount) as attempted_amount,
        sum(amount) filter (where has_failed) as failed_amount,
    from attempts
    group by grouping sets ((range_id, business_id, currency_code), (range_id, currency_code))
),

-- An invoice has one first attempt, so here each row is an invoice.
first_sums as (
    select
        range_id,
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        count(*) as first_attempt_count,
        count(*) filter (where has_failed) as failed_first_attempt_count,
        count(*) filter (where has_no_method) as no_method_first_attempt_count,
        count(*) filter (where is_automatic) as automatic_first_attempt_count,
        count(*) filter (where is_automatic and has_failed) as failed_automatic_first_attempt_count,
        sum(amount) as first_attempt_amount,
        sum(amount) filter (where has_failed) as failed_first_attempt_amount,
        sum(amount) filter (where has_no_method) as no_method_first_attempt_amount,
        sum(amount) filter (where is_automatic) as automatic_first_attempt_amount,
        sum(amount) filter (where is_automatic and has_failed) as failed_automatic_first_attempt_amount,
        count(amount) as first_amount_count,
        sum(amount_square) as first_amount_square,
        sum(amount_square) filter (where has_failed) as failed_first_amount_square,
        -- An invoice that was never tried again needs no grouping below.
        count(*) filter (where is_only) as attempted_invoice_count,
        count(*) filter (where is_only and has_failed) as failed_invoice_count,
        count(*) filter (where is_only) as tried_square,
        count(*) filter (where is_only and has_failed) as failed_tried_square,
        count(*) filter (where is_only and has_failed) as failed_square,
    from attempts
    where is_first
    group by grouping sets ((range_id, business_id, currency_code), (range_id, currency_code))
),

-- The invoice is the unit of the intervals: how often it was tried in a range, and how often that failed.
retried_invoices as (
    select
        range_id,
        business_id,
        currency_code,
        count(*) as tried,
        count(*) filter (where has_failed) as failed,
    from attempts
    where not is_only
    group by range_id, business_id, currency_code, invoice_id
),

retried_sums as (
    select
        range_id,
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        count(*) as attempted_invoice_count,
        count(*) filter (where failed > 0) as failed_invoice_count,
        sum(tried * tried) as tried_square,
        sum(tried * failed) as failed_tried_square,
        sum(failed * failed) as failed_square,
    from retried_invoices
    group by grouping sets ((range_id, business_id, currency_code), (range_id, currency_code))
),

pending_sums as (
    select
        range_days.range_id,
        grouping(pending.business_id) = 1 as is_all_businesses,
        pending.business_id,
        pending.currency_code,
        count(*) as pending_count,
    from model.pending_invoices as pending
    inner join range_days on pending.in_flight_date = range_days.day_date
    where
        pending.pending_state = 'in_flight'
        and (range_days.until_at is null or pending.in_flight_at < range_days.until_at)
    group by grouping sets (
        (range_days.range_id, pending.business_id, pending.currency_code),
        (range_days.range_id, pending.currency_code)
    )
),

excluded_sums as (
    select
        range_days.range_id,
        grouping(excluded.business_id) = 1 as is_all_businesses,
        excluded.business_id,
        excluded.currency_code,
        sum(excluded.excluded_attempt_count) as excluded_attempt_count,
    from model.excluded_attempts as excluded
    inner join range_days on excluded.day_date = range_days.day_date
    group by grouping sets (
        (range_days.range_id, excluded.business_id, excluded.currency_code),
        (range_days.range_id, excluded.currency_code)
    )
),

-- A row is as far understood as its business ever was, and as its own days: a provider who words things anew since
-- last week is lost in two years. Few entries on few days are not held against it.
wording_sums as (
    select
        range_days.range_id,
        grouping(wording.business_id) = 1 as is_all_businesses,
        wording.business_id,
        wording.currency_code,
        sum(columns('_count$'))::bigint as '\0', -- noqa: RF05, RF02
    from model.wording_days as wording
    inner join range_days on wording.day_date = range_days.day_date
    group by grouping sets (
        (range_days.range_id, wording.business_id, wording.currency_code), (range_days.range_id, wording.currency_code)
    )
),

parts as (
    select * from attempt_sums
    union all by name
    select * from first_sums
    union all by name
    select * from retried_sums
    union all by name
    select * from pending_sums
    union all by name
    select * from excluded_sums
    union all by name
    select * from wording_sums
),

-- The parts of a row, with 0 for what is missing.
sums as (
    select
        range_id,
        is_all_businesses,
        business_id,
        currency_code,
        coalesce(sum(columns('_count$')), 0)::bigint as '\0', -- noqa: RF05
        coalesce(sum(columns('_amount$')), 0) as '\0', -- noqa: RF05, AL08
        sum(columns('_square$'))::double as '\0', -- noqa: RF05, AL08
    from parts
    group by range_id, is_all_businesses, business_id, currency_code
),

understood_sums as (
    select
        sums.*,
        if(
            coverage.no_rate_because is not null
            or (sums.unexplained_entry_count >= 5 and is_little_understood(sums)), -- noqa: RF02
            'wording_not_understood',
            null
        ) as no_rate_because,
    from sums
    left join model.wording_coverage as coverage on sums.business_id = coverage.business_id
    where sums.attempt_count + sums.pending_count + sums.excluded_attempt_count > 0
),

rates as (
    select
        *,
        ratio(failed_first_attempt_count, first_attempt_count) as first_attempt_failure_ratio,
        ratio(failed_first_attempt_amount, first_attempt_amount) as first_attempt_amount_failure_ratio,
        ratio(failed_attempt_count, attempt_count) as attempt_failure_ratio,
        ratio(failed_invoice_count, attempted_invoice_count) as invoice_failure_ratio,
        ratio(failed_amount, attempted_amount) as amount_failure_ratio,
        first_attempt_count - no_method_first_attempt_count as with_method_count,
        ratio(
            failed_first_attempt_count - no_method_first_attempt_count, with_method_count
        ) as with_method_first_attempt_failure_ratio,
        ratio(
            failed_first_attempt_amount - no_method_first_attempt_amount,
            first_attempt_amount - no_method_first_attempt_amount
        ) as with_method_first_attempt_amount_failure_ratio,
        ratio(
            failed_attempt_count - no_method_attempt_count, attempt_count - no_method_attempt_count
        ) as with_method_attempt_failure_ratio,
        ratio(
            failed_automatic_first_attempt_count, automatic_first_attempt_count
        ) as automatic_first_attempt_failure_ratio,
        ratio(
            failed_automatic_first_attempt_amount, automatic_first_attempt_amount
        ) as automatic_first_attempt_amount_failure_ratio,
        ratio(failed_automatic_attempt_count, automatic_attempt_count) as automatic_attempt_failure_ratio,
        effective_count(
            attempt_failure_ratio,
            attempt_count,
            failed_square,
            failed_tried_square,
            tried_square,
            attempted_invoice_count,
            attempt_count
        ) as effective_attempt_count,
        -- A sum of floats depends on its order in the last digits, and the same data must give the same figures.
        round(
            effective_count(
                first_attempt_amount_failure_ratio,
                first_attempt_amount,
                failed_first_amount_square,
                failed_first_amount_square,
                first_amount_square,
                first_amount_count,
                first_amount_count
            ),
            3
        ) as effective_amount_count,
    from understood_sums
),

-- In one place: a rate whose words are not understood is no number.
told_rates as (
    select
        columns(lambda column_name: not ends_with(column_name, '_ratio')),
        if(no_rate_because is null, columns('_ratio$'), null) as '\0', -- noqa: RF05
    from rates
),

range_failure_rates as (
    select
        told_rates.range_id,
        ranges.from_date,
        ranges.until_date,
        ranges.until_at,
        told_rates.is_all_businesses,
        told_rates.business_id,
        told_rates.currency_code,
        told_rates.first_attempt_count,
        told_rates.failed_first_attempt_count,
        told_rates.first_attempt_failure_ratio,
        wilson_low(
            told_rates.first_attempt_failure_ratio, told_rates.first_attempt_count
        ) as first_attempt_failure_low_ratio,
        wilson_high(
            told_rates.first_attempt_failure_ratio, told_rates.first_attempt_count
        ) as first_attempt_failure_high_ratio,
        told_rates.first_attempt_amount,
        told_rates.failed_first_attempt_amount,
        told_rates.first_attempt_amount_failure_ratio,
        wilson_low(
            told_rates.first_attempt_amount_failure_ratio, told_rates.effective_amount_count
        ) as first_attempt_amount_failure_low_ratio,
        wilson_high(
            told_rates.first_attempt_amount_failure_ratio, told_rates.effective_amount_count
        ) as first_attempt_amount_failure_high_ratio,
        told_rates.attempt_count,
        told_rates.failed_attempt_count,
        told_rates.succeeded_attempt_count,
        told_rates.unflagged_failed_attempt_count,
        told_rates.attempt_failure_ratio,
        wilson_low(told_rates.attempt_failure_ratio, told_rates.effective_attempt_count) as attempt_failure_low_ratio,
        wilson_high(told_rates.attempt_failure_ratio, told_rates.effective_attempt_count) as attempt_failure_high_ratio,
        told_rates.effective_attempt_count,
        told_rates.attempted_invoice_count,
        told_rates.failed_invoice_count,
        told_rates.invoice_failure_ratio,
        told_rates.attempted_amount,
        told_rates.failed_amount,
        told_rates.amount_failure_ratio,
        told_rates.no_method_first_attempt_count,
        told_rates.no_method_first_attempt_amount,
        told_rates.no_method_attempt_count,
        told_rates.with_method_first_attempt_failure_ratio,
        wilson_low(
            told_rates.with_method_first_attempt_failure_ratio, told_rates.with_method_count
        ) as with_method_first_attempt_failure_low_ratio,
        wilson_high(
            told_rates.with_method_first_attempt_failure_ratio, told_rates.with_method_count
        ) as with_method_first_attempt_failure_high_ratio,
        told_rates.with_method_first_attempt_amount_failure_ratio,
        told_rates.with_method_attempt_failure_ratio,
        told_rates.automatic_first_attempt_count,
        told_rates.failed_automatic_first_attempt_count,
        told_rates.automatic_first_attempt_amount,
        told_rates.failed_automatic_first_attempt_amount,
        told_rates.automatic_attempt_count,
        told_rates.failed_automatic_attempt_count,
        told_rates.automatic_first_attempt_failure_ratio,
        wilson_low(
            told_rates.automatic_first_attempt_failure_ratio, told_rates.automatic_first_attempt_count
        ) as automatic_first_attempt_failure_low_ratio,
        wilson_high(
            told_rates.automatic_first_attempt_failure_ratio, told_rates.automatic_first_attempt_count
        ) as automatic_first_attempt_failure_high_ratio,
        told_rates.automatic_first_attempt_amount_failure_ratio,
        told_rates.automatic_attempt_failure_ratio,
        told_rates.pending_count,
        told_rates.excluded_attempt_count,
        told_rates.first_attempt_count < 20 or coalesce(told_rates.effective_attempt_count, 0) < 20 as is_small_sample,
        told_rates.no_rate_because,
        versions.rules_version,
    from told_rates
    inner join ranges on told_rates.range_id = ranges.range_id
    cross join versions
)

select * from range_failure_rates
