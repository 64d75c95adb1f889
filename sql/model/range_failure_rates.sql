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
--   no_method_amount                                  Sum of the invoice amounts over these attempts
--   with_method_first_attempt_failure_ratio           first_attempt_failure_ratio without those of no_payment_method
--   with_method_first_attempt_failure_low_ratio       Lower end of its 95 % interval (Wilson)
--   with_method_first_attempt_failure_high_ratio      Upper end of its 95 % interval
--   with_method_first_attempt_amount_failure_ratio    first_attempt_amount_failure_ratio without those
--   with_method_attempt_failure_ratio                 attempt_failure_ratio without those
--   with_method_invoice_count                         Invoices with an attempt in the range that did not fail for that
--   failed_with_method_invoice_count                  Those of which one failed for another reason
--   with_method_invoice_failure_ratio                 failed_with_method_invoice_count /
--                                                     with_method_invoice_count
--   with_method_amount_failure_ratio                  amount_failure_ratio without no_method_amount
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
--   automatic_invoice_count                           Attempted invoices that are collected automatically
--   failed_automatic_invoice_count                    Those with a failed attempt in the range
--   automatic_invoice_failure_ratio                   failed_automatic_invoice_count / automatic_invoice_count
--   automatic_attempted_amount                        Sum of the invoice amounts over the attempts on such
--                                                     invoices
--   failed_automatic_amount                           Sum of the invoice amounts over those that failed
--   automatic_amount_failure_ratio                    failed_automatic_amount / automatic_attempted_amount
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

-- A range that ends within a day has of that day what came before: the part until that instant.
cuts as (
    select distinct
        until_date as day_date,
        until_at,
    from ranges
    where until_at is not null
),

attempts as (
    select
        attempts.business_id,
        attempts.currency_code,
        attempts.day_date,
        if(attempts.attempted_at < cuts.until_at, cuts.until_at, null) as part_until_at,
        attempts.invoice_id,
        attempts.outcome = 'failed' as has_failed,
        not attempts.is_problem as is_unflagged,
        coalesce(attempts.failure_reason = 'no_payment_method', false) as has_no_method,
        attempts.is_first_attempt as is_first,
        attempts.is_first_attempt and attempts.is_last_attempt as is_only,
        attempts.is_automatic,
        attempts.invoice_amount as amount,
        if(is_first, attempts.invoice_amount::double * attempts.invoice_amount::double, null) as first_square,
    from model.payment_attempts as attempts
    left join cuts on attempts.day_date = cuts.day_date
),

-- All that adds up over days is summed by day first: a range has few days, and each day many attempts. An invoice has
-- one first attempt, so a sum over first attempts is one over invoices; one that was never tried again is its own
-- square.
attempt_days as (
    select
        business_id,
        currency_code,
        day_date,
        part_until_at,
        count(*) as attempt_count,
        count(*) filter (where has_failed) as failed_attempt_count,
        count(*) filter (where not has_failed) as succeeded_attempt_count,
        count(*) filter (where has_failed and is_unflagged) as unflagged_failed_attempt_count,
        count(*) filter (where has_no_method) as no_method_attempt_count,
        count(*) filter (where is_automatic) as automatic_attempt_count,
        count(*) filter (where is_automatic and has_failed) as failed_automatic_attempt_count,
        sum(amount) as attempted_amount,
        sum(amount) filter (where has_failed) as failed_amount,
        sum(amount) filter (where has_no_method) as no_method_amount,
        sum(amount) filter (where is_automatic) as automatic_attempted_amount,
        sum(amount) filter (where is_automatic and has_failed) as failed_automatic_amount,
        count(*) filter (where is_first) as first_attempt_count,
        count(*) filter (where is_first and has_failed) as failed_first_attempt_count,
        count(*) filter (where is_first and has_no_method) as no_method_first_attempt_count,
        count(*) filter (where is_first and is_automatic) as automatic_first_attempt_count,
        count(*) filter (where is_first and is_automatic and has_failed) as failed_automatic_first_attempt_count,
        sum(amount) filter (where is_first) as first_attempt_amount,
        sum(amount) filter (where is_first and has_failed) as failed_first_attempt_amount,
        sum(amount) filter (where is_first and has_no_method) as no_method_first_attempt_amount,
        sum(amount) filter (where is_first and is_automatic) as automatic_first_attempt_amount,
        sum(amount) filter (where is_first and is_automatic and has_failed) as failed_automatic_first_attempt_amount,
        count(first_square) as first_amount_count,
        sum(first_square) as first_amount_square,
        sum(first_square) filter (where has_failed) as failed_first_amount_square,
        count(*) filter (where is_only) as only_count,
        count(*) filter (where is_only and has_failed) as failed_only_count,
        count(*) filter (where is_only and has_no_method) as no_method_only_count,
        count(*) filter (where is_only and is_automatic) as automatic_only_count,
        count(*) filter (where is_only and is_automatic and has_failed) as failed_automatic_only_count,
    from attempts
    group by business_id, currency_code, day_date, part_until_at
),

-- A row is as far understood as its business ever was, and as its own days: a provider who words things anew since
-- last week is lost in two years. Few entries on few days are not held against it.
other_parts as (
    select
        business_id,
        currency_code,
        in_flight_date as day_date,
        in_flight_at,
        1 as pending_count,
    from model.pending_invoices
    where pending_state = 'in_flight'
    union all by name
    select
        business_id,
        currency_code,
        day_date,
        excluded_attempt_count,
    from model.excluded_attempts
    union all by name
    select * from model.wording_days
),

other_days as (
    select
        parts.business_id,
        parts.currency_code,
        parts.day_date,
        if(parts.in_flight_at >= cuts.until_at, null, cuts.until_at) as part_until_at,
        sum(columns('_count$')) as '\0', -- noqa: RF05
    from other_parts as parts
    left join cuts on parts.day_date = cuts.day_date
    group by all
),

days as (
    select
        coalesce(attempt_days.business_id, other_days.business_id) as business_id,
        coalesce(attempt_days.currency_code, other_days.currency_code) as currency_code,
        coalesce(attempt_days.day_date, other_days.day_date) as day_date,
        coalesce(attempt_days.part_until_at, other_days.part_until_at) as part_until_at,
        attempt_days.* exclude (business_id, currency_code, day_date, part_until_at), -- noqa: RF02
        other_days.* exclude (business_id, currency_code, day_date, part_until_at), -- noqa: RF02
    from attempt_days
    full join other_days
        on
            attempt_days.business_id is not distinct from other_days.business_id
            and attempt_days.currency_code is not distinct from other_days.currency_code
            and attempt_days.day_date = other_days.day_date
            and attempt_days.part_until_at is not distinct from other_days.part_until_at
),

day_sums as (
    select
        range_days.range_id,
        grouping(days.business_id) = 1 as is_all_businesses,
        days.business_id,
        days.currency_code,
        -- A count is far below 2^53, so a double holds it exactly, and adds up at half the cost.
        coalesce(sum(columns('_count$')::double), 0)::bigint as '\0', -- noqa: RF05
        coalesce(sum(columns('_amount$')), 0) as '\0', -- noqa: RF05, AL08
        sum(columns('_square$')) as '\0', -- noqa: RF05, AL08
    from days
    inner join range_days
        on
            days.day_date = range_days.day_date
            and (
                range_days.until_at is null
                or days.day_date < range_days.until_date
                or days.part_until_at = range_days.until_at
            )
    group by range_days.range_id, days.currency_code, grouping sets ((), (days.business_id))
),

-- The invoice is the unit of the intervals: how often it was tried in a range, and how often that failed.
retried_invoices as (
    select
        range_days.range_id,
        attempts.business_id,
        attempts.currency_code,
        count(*) as tried,
        count(*) filter (where attempts.has_failed) as failed,
        count(*) filter (where attempts.has_no_method) as no_method,
        bool_or(attempts.is_automatic) as is_automatic,
    from attempts
    inner join range_days
        on
            attempts.day_date = range_days.day_date
            and (
                range_days.until_at is null
                or attempts.day_date < range_days.until_date
                or attempts.part_until_at = range_days.until_at
            )
    where not attempts.is_only
    group by range_days.range_id, attempts.business_id, attempts.currency_code, attempts.invoice_id
),

retried_sums as (
    select
        range_id,
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        count(*) as invoice_count,
        count(*) filter (where failed > 0) as failed_count,
        count(*) filter (where tried > no_method) as with_method_count,
        count(*) filter (where failed > no_method) as failed_with_method_count,
        count(*) filter (where is_automatic) as automatic_count,
        count(*) filter (where is_automatic and failed > 0) as failed_automatic_count,
        sum(tried * tried) as tried_square,
        sum(tried * failed) as failed_tried_square,
        sum(failed * failed) as failed_square,
    from retried_invoices
    group by range_id, currency_code, grouping sets ((), (business_id))
),

sums as (
    select
        day_sums.*,
        day_sums.only_count + coalesce(retried.invoice_count, 0) as attempted_invoice_count,
        day_sums.failed_only_count + coalesce(retried.failed_count, 0) as failed_invoice_count,
        day_sums.only_count - day_sums.no_method_only_count
        + coalesce(retried.with_method_count, 0) as with_method_invoice_count,
        day_sums.failed_only_count - day_sums.no_method_only_count
        + coalesce(retried.failed_with_method_count, 0) as failed_with_method_invoice_count,
        day_sums.automatic_only_count + coalesce(retried.automatic_count, 0) as automatic_invoice_count,
        day_sums.failed_automatic_only_count
        + coalesce(retried.failed_automatic_count, 0) as failed_automatic_invoice_count,
        (day_sums.only_count + coalesce(retried.tried_square, 0))::double as tried_square,
        (day_sums.failed_only_count + coalesce(retried.failed_tried_square, 0))::double as failed_tried_square,
        (day_sums.failed_only_count + coalesce(retried.failed_square, 0))::double as failed_square,
    from day_sums
    left join retried_sums as retried
        on
            day_sums.range_id = retried.range_id
            and day_sums.is_all_businesses = retried.is_all_businesses
            and day_sums.business_id is not distinct from retried.business_id
            and day_sums.currency_code is not distinct from retried.currency_code
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
        ratio(failed_with_method_invoice_count, with_method_invoice_count) as with_method_invoice_failure_ratio,
        ratio(
            failed_amount - no_method_amount, attempted_amount - no_method_amount
        ) as with_method_amount_failure_ratio,
        ratio(failed_automatic_invoice_count, automatic_invoice_count) as automatic_invoice_failure_ratio,
        ratio(failed_automatic_amount, automatic_attempted_amount) as automatic_amount_failure_ratio,
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
        told_rates.no_method_amount,
        told_rates.with_method_attempt_failure_ratio,
        told_rates.with_method_invoice_count,
        told_rates.failed_with_method_invoice_count,
        told_rates.with_method_invoice_failure_ratio,
        told_rates.with_method_amount_failure_ratio,
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
        told_rates.automatic_invoice_count,
        told_rates.failed_automatic_invoice_count,
        told_rates.automatic_invoice_failure_ratio,
        told_rates.automatic_attempted_amount,
        told_rates.failed_automatic_amount,
        told_rates.automatic_amount_failure_ratio,
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
