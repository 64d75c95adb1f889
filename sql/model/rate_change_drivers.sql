-- Why did the headline change? One row per period, currency, business and driver: the part of the change of
-- `first_attempt_failure_ratio` of all businesses, against the period before, that it accounts for. A driver is a
-- reason (this business failed more or less often for it) or mix (its share of the first attempts changed).
-- E. M. Kitagawa (JASA 50, 1955): with a share w of the first attempts and a rate r of each business, the change is the
-- sum of mean(w) x change(r), split by reasons, and of change(w) x (mean(r) - mean(rate of all)). The parts of a period
-- and currency sum to the change exactly. A business that is in one of the two periods only is mix.
--
-- columns
--   period_code                     The period, as in `reporting_periods`
--   period_kind                     month, quarter, year or rolling
--   currency_code                   Currency of the invoices; null where the API gave none
--   business_id                     Location that issued the invoices
--   driver_kind                     reason or mix
--   failure_reason                  Why the first attempts failed; null for mix
--   first_attempt_count             First attempts of the business in the period
--   previous_first_attempt_count    Those in the period before
--   failed_count                    Those of the period that failed with this reason; for mix with any
--   previous_failed_count           The same in the period before
--   driven_change_ratio             Part of the change that this accounts for; negative where it lowers the rate
--   total_change_ratio              Change of the rate of all businesses of the currency: the sum of all parts
--   rules_version                   Checksum of the rules that were applied
-- promises
--   unique one_row_per_driver: period_code, currency_code, business_id, driver_kind, failure_reason
--   not null required_columns: period_code, driver_kind, driven_change_ratio, total_change_ratio
--   accepted: driver_kind in (reason, mix)
--   holds mix_has_no_reason: (driver_kind = 'mix') = (failure_reason is null)
-- published
with

-- What is compared with what: the same ranges, and the same rates, as in `period_payment_failure_rates`.
rates as (select * from model.range_failure_rates),

changes as (
    select
        periods.period_code,
        periods.period_kind,
        rates.range_id,
        previous.range_id as previous_range_id,
        rates.currency_code,
        rates.first_attempt_count as total_count,
        previous.first_attempt_count as previous_total_count,
        (rates.first_attempt_failure_ratio + previous.first_attempt_failure_ratio) / 2 as mean_rate,
        rates.first_attempt_failure_ratio - previous.first_attempt_failure_ratio as total_change_ratio,
        rates.rules_version,
    from model.reporting_periods as periods
    inner join rates
        on
            periods.period_start_date = rates.from_date
            and periods.period_end_date = rates.until_date
            and rates.until_at is null
    inner join rates as previous
        on
            periods.previous_start_date = previous.from_date
            and periods.previous_end_date = previous.until_date
            and periods.previous_until_at is not distinct from previous.until_at
            and rates.currency_code is not distinct from previous.currency_code
    where
        periods.has_previous
        and rates.is_all_businesses
        and previous.is_all_businesses
        and rates.first_attempt_failure_ratio is not null
        and previous.first_attempt_failure_ratio is not null
),

business_counts as (
    select
        range_id,
        business_id,
        currency_code,
        first_attempt_count,
        failed_first_attempt_count,
    from rates
    where not is_all_businesses and first_attempt_count > 0
),

sides as (
    select
        changes.* exclude (range_id, previous_range_id), -- noqa: RF02
        business_counts.business_id,
        business_counts.range_id,
        business_counts.first_attempt_count,
        business_counts.failed_first_attempt_count as failed_count,
        0 as previous_first_attempt_count,
        0 as previous_failed_count,
    from changes
    inner join business_counts
        on
            changes.range_id = business_counts.range_id
            and changes.currency_code is not distinct from business_counts.currency_code
    union all
    select
        changes.* exclude (range_id, previous_range_id), -- noqa: RF02
        business_counts.business_id,
        business_counts.range_id,
        0 as first_attempt_count,
        0 as failed_count,
        business_counts.first_attempt_count as previous_first_attempt_count,
        business_counts.failed_first_attempt_count as previous_failed_count,
    from changes
    inner join business_counts
        on
            changes.previous_range_id = business_counts.range_id
            and changes.currency_code is not distinct from business_counts.currency_code
),

businesses as (
    select
        period_code,
        period_kind,
        currency_code,
        business_id,
        total_count,
        previous_total_count,
        mean_rate,
        total_change_ratio,
        rules_version,
        sum(first_attempt_count)::bigint as first_attempt_count,
        sum(previous_first_attempt_count)::bigint as previous_first_attempt_count,
        sum(failed_count)::bigint as failed_count,
        sum(previous_failed_count)::bigint as previous_failed_count,
    from sides
    group by all
),

-- A range may be one day: on the first of a month the running month is compared with one.
compared_days as (
    select * from model.range_days
    where range_id in (select sides.range_id from sides)
),

reason_counts as (
    select
        range_days.range_id,
        attempts.business_id,
        attempts.currency_code,
        attempts.failure_reason,
        count(*) as failed_count,
    from model.payment_attempts as attempts
    inner join compared_days as range_days on attempts.day_date = range_days.day_date
    where
        attempts.is_first_attempt
        and attempts.outcome = 'failed'
        and (range_days.until_at is null or attempts.attempted_at < range_days.until_at)
    group by all
),

reason_sides as (
    select
        sides.period_code,
        sides.currency_code,
        sides.business_id,
        reason_counts.failure_reason,
        sum(if(sides.first_attempt_count > 0, reason_counts.failed_count, 0))::bigint as failed_count,
        sum(if(sides.first_attempt_count > 0, 0, reason_counts.failed_count))::bigint as previous_failed_count,
    from sides
    inner join reason_counts
        on
            sides.range_id = reason_counts.range_id
            and sides.business_id is not distinct from reason_counts.business_id
            and sides.currency_code is not distinct from reason_counts.currency_code
    group by all
),

drivers as (
    select
        businesses.* replace (
            reason_sides.failed_count as failed_count,
            reason_sides.previous_failed_count as previous_failed_count
        ),
        'reason' as driver_kind,
        reason_sides.failure_reason,
        (
            businesses.first_attempt_count / businesses.total_count
            + businesses.previous_first_attempt_count / businesses.previous_total_count
        ) / 2
        * (
            reason_sides.failed_count / businesses.first_attempt_count
            - reason_sides.previous_failed_count / businesses.previous_first_attempt_count
        ) as driven_change_ratio,
    from businesses
    inner join reason_sides
        on
            businesses.period_code = reason_sides.period_code
            and businesses.business_id is not distinct from reason_sides.business_id
            and businesses.currency_code is not distinct from reason_sides.currency_code
    where businesses.first_attempt_count > 0 and businesses.previous_first_attempt_count > 0
    union all by name
    select
        *,
        'mix' as driver_kind,
        null::varchar as failure_reason,
        (first_attempt_count / total_count - previous_first_attempt_count / previous_total_count)
        * (
            (
                coalesce(
                    ratio(failed_count, first_attempt_count), ratio(previous_failed_count, previous_first_attempt_count)
                )
                + coalesce(
                    ratio(previous_failed_count, previous_first_attempt_count), ratio(failed_count, first_attempt_count)
                )
            ) / 2
            - mean_rate
        ) as driven_change_ratio,
    from businesses
),

rate_change_drivers as (
    select
        period_code,
        period_kind,
        currency_code,
        business_id,
        driver_kind,
        failure_reason,
        first_attempt_count,
        previous_first_attempt_count,
        failed_count,
        previous_failed_count,
        driven_change_ratio,
        total_change_ratio,
        rules_version,
    from drivers
)

select * from rate_change_drivers
