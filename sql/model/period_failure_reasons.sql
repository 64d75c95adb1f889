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

attempts as (select * from model.payment_attempts),

daily as (
    select
        business_id,
        currency_code,
        day_date,
        failure_reason,
        count(*) as failed_attempt_count,
        count(*) filter (where not is_problem) as unflagged_failed_attempt_count,
        sum(invoice_amount) as failed_amount,
        any_value(rules_version) as rules_version,
    from attempts
    where outcome = 'failed'
    group by business_id, currency_code, day_date, failure_reason
),

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
        daily.failure_reason,
        coalesce(
            sum(daily.failed_attempt_count) filter (where not period_days.is_previous), 0
        )::bigint as failed_attempt_count,
        coalesce(
            sum(daily.unflagged_failed_attempt_count) filter (where not period_days.is_previous), 0
        )::bigint as unflagged_failed_attempt_count,
        coalesce(sum(daily.failed_amount) filter (where not period_days.is_previous), 0) as failed_amount,
        coalesce(
            sum(daily.failed_attempt_count) filter (where period_days.is_previous), 0
        )::bigint as previous_failed_attempt_count,
        coalesce(sum(daily.failed_amount) filter (where period_days.is_previous), 0) as previous_failed_amount,
        any_value(daily.rules_version) as rules_version,
    from period_days
    inner join daily on daily.day_date between period_days.from_date and period_days.until_date
    group by grouping sets (
        (period_days.period_code, daily.business_id, daily.currency_code, daily.failure_reason),
        (period_days.period_code, daily.currency_code, daily.failure_reason)
    )
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
