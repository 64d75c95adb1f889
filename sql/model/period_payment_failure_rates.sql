-- One row per reporting period, business (and all of them together) and currency with a payment attempt, counted or
-- left out, or a payment in flight: the failure rates beside those of the period before, and whether the change is more
-- than chance. Where many businesses are compared, chance alone makes some changes look large; the false discovery rate
-- is held at 5 % (Y. Benjamini and Y. Hochberg, JRSS B 57, 1995) over the businesses of a period.
--
-- columns
--   period_code                                       The period, as in `reporting_periods`
--   period_kind                                       month, quarter, year or rolling
--   period_start_date                                 Its first day
--   period_end_date                                   Its last day
--   is_complete                                       True where the data covers all its days
--   previous_first_attempt_count                      First attempts in the period before; null where the data does not
--                                                     cover it
--   previous_failed_first_attempt_count               Those of them that failed
--   previous_first_attempt_failure_ratio              first_attempt_failure_ratio of the period before
--   first_attempt_failure_change_ratio                first_attempt_failure_ratio -
--                                                     previous_first_attempt_failure_ratio
--   first_attempt_failure_change_low_ratio            Lower end of the change's 95 % interval (R. G. Newcombe,
--                                                     Statistics in Medicine 17, 1998, method 10: from the two Wilson
--                                                     intervals)
--   first_attempt_failure_change_high_ratio           Upper end of the change's 95 % interval
--   is_significant_change                             True where the headline's change is more than chance: its
--                                                     interval does not hold 0, and the false discovery rate of the
--                                                     period's businesses is kept
--   compared_count                                    How many businesses (or currencies, in the rows of all
--                                                     businesses) of the period that was asked of
--   previous_first_attempt_amount_failure_ratio       first_attempt_amount_failure_ratio of the period before
--   first_attempt_amount_failure_change_ratio         first_attempt_amount_failure_ratio -
--                                                     previous_first_attempt_amount_failure_ratio
--   first_attempt_amount_failure_change_low_ratio     Lower end of the change's 95 % interval
--   first_attempt_amount_failure_change_high_ratio    Upper end of the change's 95 % interval
--   is_significant_amount_change                      As is_significant_change, for the headline by amount
--   previous_attempt_count                            Attempts in the period before
--   previous_failed_attempt_count                     Failed attempts in the period before
--   previous_attempted_amount                         attempted_amount of the period before
--   previous_failed_amount                            failed_amount of the period before
--   previous_attempt_failure_ratio                    attempt_failure_ratio of the period before
--   attempt_failure_change_ratio                      attempt_failure_ratio - previous_attempt_failure_ratio
--   attempt_failure_change_low_ratio                  Lower end of the change's 95 % interval
--   attempt_failure_change_high_ratio                 Upper end of the change's 95 % interval
--   is_significant_attempt_change                     As is_significant_change, for the attempt rate; false where the
--                                                     attempts of either period are worth fewer than 20 independent
--                                                     ones
-- columns as in
--   model.range_failure_rates without range_id, from_date, until_date, until_at
-- promises
--   unique one_row_per_period_and_scope: period_code, is_all_businesses, business_id, currency_code
--   not null required_columns: period_code, period_kind, is_all_businesses, attempt_count, is_significant_change,
--       is_significant_amount_change, is_significant_attempt_change
--   holds change_is_in_its_interval: first_attempt_failure_change_ratio between first_attempt_failure_change_low_ratio
--       and first_attempt_failure_change_high_ratio
--   holds attempt_change_is_in_its_interval: attempt_failure_change_ratio between attempt_failure_change_low_ratio
--       and attempt_failure_change_high_ratio
--   holds a_significant_change_excludes_0: not is_significant_change
--       or first_attempt_failure_change_low_ratio > 0 or first_attempt_failure_change_high_ratio < 0
-- published
with

periods as (
    select
        *,
        if(has_previous, previous_start_date, null) as compared_start_date,
    from model.reporting_periods
),

rates as (select * from model.range_failure_rates),

compared as (
    select
        periods.period_code,
        periods.period_kind,
        periods.period_start_date,
        periods.period_end_date,
        periods.is_complete,
        rates.* exclude (range_id, from_date, until_date, until_at), -- noqa: RF02
        if(periods.has_previous, coalesce(previous.first_attempt_count, 0), null) as previous_first_attempt_count,
        if(
            periods.has_previous, coalesce(previous.failed_first_attempt_count, 0), null
        ) as previous_failed_first_attempt_count,
        if(periods.has_previous, coalesce(previous.attempt_count, 0), null) as previous_attempt_count,
        if(periods.has_previous, coalesce(previous.failed_attempt_count, 0), null) as previous_failed_attempt_count,
        if(periods.has_previous, coalesce(previous.attempted_amount, 0), null) as previous_attempted_amount,
        if(periods.has_previous, coalesce(previous.failed_amount, 0), null) as previous_failed_amount,
        previous.first_attempt_failure_ratio as previous_first_attempt_failure_ratio,
        previous.first_attempt_amount_failure_ratio as previous_first_attempt_amount_failure_ratio,
        previous.attempt_failure_ratio as previous_attempt_failure_ratio,
        least(rates.effective_attempt_count, previous.effective_attempt_count) as fewest_effective_attempts,
        rates.first_attempt_failure_ratio
        - previous.first_attempt_failure_ratio as first_attempt_failure_change_ratio,
        newcombe_reach(
            rates.first_attempt_failure_ratio,
            rates.first_attempt_failure_low_ratio,
            previous.first_attempt_failure_ratio,
            previous.first_attempt_failure_high_ratio
        ) as first_attempt_failure_reach_down,
        newcombe_reach(
            previous.first_attempt_failure_ratio,
            previous.first_attempt_failure_low_ratio,
            rates.first_attempt_failure_ratio,
            rates.first_attempt_failure_high_ratio
        ) as first_attempt_failure_reach_up,
        rates.first_attempt_amount_failure_ratio
        - previous.first_attempt_amount_failure_ratio as first_attempt_amount_failure_change_ratio,
        newcombe_reach(
            rates.first_attempt_amount_failure_ratio,
            rates.first_attempt_amount_failure_low_ratio,
            previous.first_attempt_amount_failure_ratio,
            previous.first_attempt_amount_failure_high_ratio
        ) as first_attempt_amount_failure_reach_down,
        newcombe_reach(
            previous.first_attempt_amount_failure_ratio,
            previous.first_attempt_amount_failure_low_ratio,
            rates.first_attempt_amount_failure_ratio,
            rates.first_attempt_amount_failure_high_ratio
        ) as first_attempt_amount_failure_reach_up,
        rates.attempt_failure_ratio
        - previous.attempt_failure_ratio as attempt_failure_change_ratio,
        newcombe_reach(
            rates.attempt_failure_ratio,
            rates.attempt_failure_low_ratio,
            previous.attempt_failure_ratio,
            previous.attempt_failure_high_ratio
        ) as attempt_failure_reach_down,
        newcombe_reach(
            previous.attempt_failure_ratio,
            previous.attempt_failure_low_ratio,
            rates.attempt_failure_ratio,
            rates.attempt_failure_high_ratio
        ) as attempt_failure_reach_up,
    from periods
    inner join rates
        on
            periods.period_start_date = rates.from_date
            and periods.period_end_date = rates.until_date
            and rates.until_at is null
    left join rates as previous
        on
            periods.compared_start_date = previous.from_date
            and periods.previous_end_date = previous.until_date
            and periods.previous_until_at is not distinct from previous.until_at
            and rates.is_all_businesses = previous.is_all_businesses
            and rates.business_id is not distinct from previous.business_id
            and rates.currency_code is not distinct from previous.currency_code
),

chances as (
    select
        *,
        chance_of(
            first_attempt_failure_change_ratio,
            if(first_attempt_failure_change_ratio > 0, first_attempt_failure_reach_down, first_attempt_failure_reach_up)
        ) as first_attempt_chance,
        chance_of(
            first_attempt_amount_failure_change_ratio,
            if(
                first_attempt_amount_failure_change_ratio > 0,
                first_attempt_amount_failure_reach_down,
                first_attempt_amount_failure_reach_up
            )
        ) as first_attempt_amount_chance,
        -- The variance of retries is hardly known from fewer, and chance would be found too often.
        if(
            fewest_effective_attempts >= 20,
            chance_of(
                attempt_failure_change_ratio,
                if(attempt_failure_change_ratio > 0, attempt_failure_reach_down, attempt_failure_reach_up)
            ),
            null
        ) as attempt_chance,
    from compared
),

-- Benjamini and Hochberg: of m comparisons by rising chance, the first k stand where the k-th
-- chance is at most 5 % k / m.
ranked as (
    select
        *,
        rank() over (family order by first_attempt_chance) as first_attempt_rank,
        count(first_attempt_chance) over family as first_attempt_compared_count,
        rank() over (family order by first_attempt_amount_chance) as first_attempt_amount_rank,
        count(first_attempt_amount_chance) over family as first_attempt_amount_compared_count,
        rank() over (family order by attempt_chance) as attempt_rank,
        count(attempt_chance) over family as attempt_compared_count,
    from chances
    window family as (partition by period_code, is_all_businesses)
),

judged as (
    select
        *,
        coalesce(
            first_attempt_chance
            <= max(first_attempt_chance) filter (
                where
                first_attempt_chance <= 0.05 * first_attempt_rank
                / first_attempt_compared_count
            ) over family,
            false
        ) as first_attempt_stands,
        coalesce(
            first_attempt_amount_chance
            <= max(first_attempt_amount_chance) filter (
                where
                first_attempt_amount_chance <= 0.05 * first_attempt_amount_rank
                / first_attempt_amount_compared_count
            ) over family,
            false
        ) as first_attempt_amount_stands,
        coalesce(
            attempt_chance
            <= max(attempt_chance) filter (
                where
                attempt_chance <= 0.05 * attempt_rank
                / attempt_compared_count
            ) over family,
            false
        ) as attempt_stands,
    from ranked
    window family as (partition by period_code, is_all_businesses)
),

period_payment_failure_rates as (
    select
        * exclude (
            first_attempt_failure_reach_down,
            first_attempt_failure_reach_up,
            first_attempt_chance,
            first_attempt_rank,
            first_attempt_compared_count,
            first_attempt_stands,
            first_attempt_amount_failure_reach_down,
            first_attempt_amount_failure_reach_up,
            first_attempt_amount_chance,
            first_attempt_amount_rank,
            first_attempt_amount_compared_count,
            first_attempt_amount_stands,
            attempt_failure_reach_down,
            attempt_failure_reach_up,
            fewest_effective_attempts,
            attempt_chance,
            attempt_rank,
            attempt_compared_count,
            attempt_stands
        ),
        first_attempt_failure_change_ratio
        - first_attempt_failure_reach_down as first_attempt_failure_change_low_ratio,
        first_attempt_failure_change_ratio
        + first_attempt_failure_reach_up as first_attempt_failure_change_high_ratio,
        first_attempt_stands as is_significant_change,
        first_attempt_amount_failure_change_ratio
        - first_attempt_amount_failure_reach_down as first_attempt_amount_failure_change_low_ratio,
        first_attempt_amount_failure_change_ratio
        + first_attempt_amount_failure_reach_up as first_attempt_amount_failure_change_high_ratio,
        first_attempt_amount_stands as is_significant_amount_change,
        attempt_failure_change_ratio
        - attempt_failure_reach_down as attempt_failure_change_low_ratio,
        attempt_failure_change_ratio
        + attempt_failure_reach_up as attempt_failure_change_high_ratio,
        attempt_stands as is_significant_attempt_change,
        first_attempt_compared_count as compared_count,
    from judged
)

select * from period_payment_failure_rates -- noqa: AM04
order by period_start_date, period_code, is_all_businesses, business_id, currency_code
