-- One row per reporting period, business (and all of them together) and currency with a payment attempt, counted or
-- left out, or a pending entry: the failure rates beside those of the period before, and whether the change is more
-- than chance. Sums of the days in `daily_payment_failure_rates`; rates per invoice are by month only, for an invoice
-- that is attempted in two months counts in both.
--
-- columns
--   period_code                          The period, as in `reporting_periods`
--   period_kind                          month, quarter, year or rolling
--   period_start_date                    Its first day
--   period_end_date                      Its last day
--   is_all_businesses                    True in the rows that take all businesses of the currency together
--   business_id                          Location that issued the invoices; null in the rows of all businesses
--   currency_code                        Currency of every amount in the row; null where the API gave none
--   attempt_count                        Attempts: entries that report a payment as succeeded or failed
--   failed_attempt_count                 Those that failed
--   unflagged_failed_attempt_count       Failed attempts that the API does not flag as a problem
--   pending_count                        Entries of payments in flight: no outcome, in no rate
--   excluded_attempt_count               Attempts left out by rule
--   first_attempt_count                  Invoices whose first attempt ever was in the period
--   failed_first_attempt_count           Those whose first attempt failed
--   attempted_amount                     Sum of the invoice amounts over the attempts
--   failed_amount                        Sum of the invoice amounts over the failed attempts
--   attempt_failure_ratio                failed_attempt_count / attempt_count
--   attempt_failure_low_ratio            Lower end of its 95 % Wilson interval
--   attempt_failure_high_ratio           Upper end of its 95 % Wilson interval
--   first_attempt_failure_ratio          failed_first_attempt_count / first_attempt_count
--   amount_failure_ratio                 failed_amount / attempted_amount
--   previous_attempt_count               Attempts in the period before; null where the data does not cover it
--   previous_failed_attempt_count        Failed attempts in the period before
--   previous_attempted_amount            attempted_amount of the period before
--   previous_failed_amount               failed_amount of the period before
--   previous_attempt_failure_ratio       attempt_failure_ratio of the period before
--   attempt_failure_change_ratio         attempt_failure_ratio - previous_attempt_failure_ratio
--   attempt_failure_change_low_ratio     Lower end of the change's 95 % interval (R. G. Newcombe, Statistics in
--                                        Medicine 17, 1998, method 10: from the two Wilson intervals)
--   attempt_failure_change_high_ratio    Upper end of the change's 95 % interval
--   is_significant_change                True where that interval does not hold 0: the change is more than chance
--   is_small_sample                      True under 20 attempts: read the interval, not the rate
--   is_mature                            True where the outcomes of the whole period are in
--   mature_until_date                    Last day whose outcomes are in
--   rules_version                        Checksum of the rules that were applied
-- promises
--   unique one_row_per_period_and_scope: period_code, is_all_businesses, business_id, currency_code
--   not null required_columns: period_code, period_kind, is_all_businesses, attempt_count, failed_attempt_count,
--       is_small_sample, is_significant_change, is_mature, rules_version
--   holds failures_are_attempts: failed_attempt_count <= attempt_count and failed_amount <= attempted_amount
--   holds rate_is_in_its_interval: attempt_failure_ratio between attempt_failure_low_ratio and
--       attempt_failure_high_ratio
--   holds change_is_in_its_interval: attempt_failure_change_ratio between attempt_failure_change_low_ratio and
--       attempt_failure_change_high_ratio
--   holds: (attempt_failure_ratio is null) = (attempt_count = 0)
-- published
with

periods as (select * from model.reporting_periods),

daily as (select * from model.daily_payment_failure_rates),

-- The calendar of both sides of each comparison, so that one join brings the days of either.
period_days as (
    select
        period_code,
        false as is_previous,
        period_start_date as from_date,
        period_end_date as until_date,
    from periods
    union all
    select
        period_code,
        true as is_previous,
        previous_start_date as from_date,
        previous_end_date as until_date,
    from periods
    where has_previous
),

sums as (
    select
        period_days.period_code,
        grouping(daily.business_id) = 1 as is_all_businesses,
        daily.business_id,
        daily.currency_code,
        count(*) filter (where not period_days.is_previous) as day_count,
        sum(daily.attempt_count) filter (where not period_days.is_previous) as attempt_count,
        sum(daily.failed_attempt_count) filter (where not period_days.is_previous) as failed_attempt_count,
        sum(daily.unflagged_failed_attempt_count) filter (
            where not period_days.is_previous
        ) as unflagged_failed_attempt_count,
        sum(daily.pending_count) filter (where not period_days.is_previous) as pending_count,
        sum(daily.excluded_attempt_count) filter (where not period_days.is_previous) as excluded_attempt_count,
        sum(daily.first_attempt_count) filter (where not period_days.is_previous) as first_attempt_count,
        sum(daily.failed_first_attempt_count) filter (where not period_days.is_previous) as failed_first_attempt_count,
        sum(daily.attempted_amount) filter (where not period_days.is_previous) as attempted_amount,
        sum(daily.failed_amount) filter (where not period_days.is_previous) as failed_amount,
        sum(daily.attempt_count) filter (where period_days.is_previous) as previous_attempt_count,
        sum(daily.failed_attempt_count) filter (where period_days.is_previous) as previous_failed_attempt_count,
        sum(daily.attempted_amount) filter (where period_days.is_previous) as previous_attempted_amount,
        sum(daily.failed_amount) filter (where period_days.is_previous) as previous_failed_amount,
        min(daily.mature_until_date) as mature_until_date,
        any_value(daily.rules_version) as rules_version,
    from period_days
    inner join daily on daily.day_date between period_days.from_date and period_days.until_date
    group by grouping sets (
        (period_days.period_code, daily.business_id, daily.currency_code),
        (period_days.period_code, daily.currency_code)
    )
),

known as (
    select
        sums.period_code,
        periods.period_kind,
        periods.period_start_date,
        periods.period_end_date,
        periods.data_until_date,
        sums.is_all_businesses,
        sums.business_id,
        sums.currency_code,
        sums.attempt_count::bigint as attempt_count,
        sums.failed_attempt_count::bigint as failed_attempt_count,
        sums.unflagged_failed_attempt_count::bigint as unflagged_failed_attempt_count,
        sums.pending_count::bigint as pending_count,
        sums.excluded_attempt_count::bigint as excluded_attempt_count,
        sums.first_attempt_count::bigint as first_attempt_count,
        sums.failed_first_attempt_count::bigint as failed_first_attempt_count,
        sums.attempted_amount,
        sums.failed_amount,
        case
            when periods.has_previous then coalesce(sums.previous_attempt_count, 0)
        end::bigint as previous_attempt_count,
        case
            when periods.has_previous then coalesce(sums.previous_failed_attempt_count, 0)
        end::bigint as previous_failed_attempt_count,
        case
            when periods.has_previous then coalesce(sums.previous_attempted_amount, 0)
        end as previous_attempted_amount,
        case when periods.has_previous then coalesce(sums.previous_failed_amount, 0) end as previous_failed_amount,
        sums.mature_until_date,
        sums.rules_version,
    from sums
    inner join periods on sums.period_code = periods.period_code
    where sums.day_count > 0
),

rates as (
    select
        *,
        ratio(failed_attempt_count, attempt_count) as attempt_failure_ratio,
        wilson_low(failed_attempt_count, attempt_count) as attempt_failure_low_ratio,
        wilson_high(failed_attempt_count, attempt_count) as attempt_failure_high_ratio,
        ratio(previous_failed_attempt_count, previous_attempt_count) as previous_attempt_failure_ratio,
        wilson_low(previous_failed_attempt_count, previous_attempt_count) as previous_low_ratio,
        wilson_high(previous_failed_attempt_count, previous_attempt_count) as previous_high_ratio,
    from known
),

changes as (
    select
        *,
        attempt_failure_ratio - previous_attempt_failure_ratio as attempt_failure_change_ratio,
        attempt_failure_ratio - previous_attempt_failure_ratio
        - sqrt(
            pow(attempt_failure_ratio - attempt_failure_low_ratio, 2)
            + pow(previous_high_ratio - previous_attempt_failure_ratio, 2)
        ) as attempt_failure_change_low_ratio,
        attempt_failure_ratio - previous_attempt_failure_ratio
        + sqrt(
            pow(attempt_failure_high_ratio - attempt_failure_ratio, 2)
            + pow(previous_attempt_failure_ratio - previous_low_ratio, 2)
        ) as attempt_failure_change_high_ratio,
    from rates
),

period_payment_failure_rates as (
    select
        period_code,
        period_kind,
        period_start_date,
        period_end_date,
        is_all_businesses,
        business_id,
        currency_code,
        attempt_count,
        failed_attempt_count,
        unflagged_failed_attempt_count,
        pending_count,
        excluded_attempt_count,
        first_attempt_count,
        failed_first_attempt_count,
        attempted_amount,
        failed_amount,
        attempt_failure_ratio,
        attempt_failure_low_ratio,
        attempt_failure_high_ratio,
        ratio(failed_first_attempt_count, first_attempt_count) as first_attempt_failure_ratio,
        ratio(failed_amount, attempted_amount) as amount_failure_ratio,
        previous_attempt_count,
        previous_failed_attempt_count,
        previous_attempted_amount,
        previous_failed_amount,
        previous_attempt_failure_ratio,
        attempt_failure_change_ratio,
        attempt_failure_change_low_ratio,
        attempt_failure_change_high_ratio,
        coalesce(
            attempt_failure_change_low_ratio > 0 or attempt_failure_change_high_ratio < 0, false
        ) as is_significant_change,
        attempt_count < 20 as is_small_sample,
        period_end_date <= mature_until_date as is_mature,
        mature_until_date,
        rules_version,
    from changes
)

select * from period_payment_failure_rates
order by period_start_date, period_code, is_all_businesses, business_id, currency_code
