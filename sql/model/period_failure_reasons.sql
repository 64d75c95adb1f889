-- One row per reporting period, business (and all of them together), currency and reason for which payment attempts
-- failed: how often, how much, and how often in the period before.
--
-- columns
--   period_code                       The period, as in `reporting_periods`
--   period_kind                       month, quarter, year or rolling
--   period_start_date                 Its first day
--   period_end_date                   Its last day
--   is_all_businesses                 True in the rows that take all businesses of the currency together
--   business_id                       Location that issued the invoices; null in the rows of all businesses
--   currency_code                     Currency of every amount in the row; null where the API gave none
--   failure_reason                    Why the attempts failed
--   failed_attempt_count              Failed attempts with this reason
--   unflagged_failed_attempt_count    Those that the API does not flag as a problem
--   failed_amount                     Sum of the invoice amounts over them
--   failed_attempt_share_ratio        Their share of all failed attempts of the period, business and currency
--   failed_amount_share_ratio         Their share of the failed amount of the period, business and currency
--   previous_failed_attempt_count     Their number in the period before; null where the data does not cover it
--   previous_failed_amount            Their amount in the period before
--   rules_version                     Checksum of the rules that were applied
-- promises
--   unique one_row_per_period_scope_and_reason: period_code, is_all_businesses, business_id, currency_code,
--       failure_reason
--   not null required_columns: period_code, is_all_businesses, failure_reason, failed_attempt_count, failed_amount,
--       rules_version
--   holds failed_now_or_before: failed_attempt_count > 0 or previous_failed_attempt_count > 0
--   holds shares_are_between_0_and_1: failed_attempt_share_ratio between 0 and 1 and failed_amount_share_ratio
--       between 0 and 1
-- published
with

periods as (select * from model.reporting_periods),

range_days as (select * from model.range_days),

failed_attempts as (
    select * from model.payment_attempts
    where outcome = 'failed'
),

range_sums as (
    select
        range_days.from_date,
        range_days.until_date,
        range_days.until_at,
        grouping(failed_attempts.business_id) = 1 as is_all_businesses,
        failed_attempts.business_id,
        failed_attempts.currency_code,
        failed_attempts.failure_reason,
        count(*) as failed_attempt_count,
        count(*) filter (where not failed_attempts.is_problem) as unflagged_failed_attempt_count,
        coalesce(sum(failed_attempts.invoice_amount), 0) as failed_amount,
        any_value(failed_attempts.rules_version) as rules_version,
    from failed_attempts
    inner join range_days on failed_attempts.day_date = range_days.day_date
    where
        range_days.from_date <> range_days.until_date
        and (range_days.until_at is null or failed_attempts.attempted_at < range_days.until_at)
    group by grouping sets (
        (
            range_days.from_date,
            range_days.until_date,
            range_days.until_at,
            failed_attempts.business_id,
            failed_attempts.currency_code,
            failed_attempts.failure_reason
        ),
        (
            range_days.from_date,
            range_days.until_date,
            range_days.until_at,
            failed_attempts.currency_code,
            failed_attempts.failure_reason
        )
    )
),

-- A reason of this period, of the one before, or of both.
period_sums as (
    select
        periods.period_code,
        sums.* exclude (from_date, until_date, until_at), -- noqa: RF02
        false as is_previous,
    from periods
    inner join range_sums as sums
        on
            periods.period_start_date = sums.from_date
            and periods.period_end_date = sums.until_date
            and sums.until_at is null
    union all by name
    select
        periods.period_code,
        sums.* exclude (from_date, until_date, until_at), -- noqa: RF02
        true as is_previous,
    from periods
    inner join range_sums as sums
        on
            periods.has_previous
            and periods.previous_start_date = sums.from_date
            and periods.previous_end_date = sums.until_date
            and periods.previous_until_at is not distinct from sums.until_at
),

sums as (
    select
        period_code,
        is_all_businesses,
        business_id,
        currency_code,
        failure_reason,
        coalesce(sum(failed_attempt_count) filter (where not is_previous), 0)::bigint as failed_attempt_count,
        coalesce(
            sum(unflagged_failed_attempt_count) filter (where not is_previous), 0
        )::bigint as unflagged_failed_attempt_count,
        coalesce(sum(failed_amount) filter (where not is_previous), 0) as failed_amount,
        coalesce(sum(failed_attempt_count) filter (where is_previous), 0)::bigint as previous_failed_attempt_count,
        coalesce(sum(failed_amount) filter (where is_previous), 0) as previous_failed_amount,
        any_value(rules_version) as rules_version,
    from period_sums
    group by period_code, is_all_businesses, business_id, currency_code, failure_reason
),

period_failure_reasons as (
    select
        sums.period_code,
        periods.period_kind,
        periods.period_start_date,
        periods.period_end_date,
        sums.is_all_businesses,
        sums.business_id,
        sums.currency_code,
        sums.failure_reason,
        sums.failed_attempt_count,
        sums.unflagged_failed_attempt_count,
        sums.failed_amount,
        ratio(sums.failed_attempt_count, sum(sums.failed_attempt_count) over scope) as failed_attempt_share_ratio,
        ratio(sums.failed_amount, sum(sums.failed_amount) over scope) as failed_amount_share_ratio,
        case when periods.has_previous then sums.previous_failed_attempt_count end as previous_failed_attempt_count,
        case when periods.has_previous then sums.previous_failed_amount end as previous_failed_amount,
        sums.rules_version,
    from sums
    inner join periods on sums.period_code = periods.period_code
    window scope as (
        partition by sums.period_code, sums.is_all_businesses, sums.business_id, sums.currency_code
    )
)

select * from period_failure_reasons
order by period_start_date, period_code, is_all_businesses, business_id, currency_code, failure_reason
