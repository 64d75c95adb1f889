-- One row per period (a day, or a reporting period), business (and all of them together) and currency with failure
-- rates: how they changed against the period before, and whether that is more than chance. A day is compared with the
-- same weekday a week before, once it is over. Where many businesses are compared, chance alone makes some changes look
-- large; the false discovery rate is held at 5 % (Y. Benjamini and Y. Hochberg, JRSS B 57, 1995) over the businesses of
-- a period.
--
-- columns
--   range_id                                          Its range in `range_failure_rates`
--   is_all_businesses                                 True in the rows that take all businesses of the currency
--                                                     together
--   business_id                                       Location that issued the invoices; null in the rows of all
--                                                     businesses
--   currency_code                                     Currency of every amount in the row; null where the API gave none
--   period_code                                       The period, as in `reporting_periods`; of a day, its date
--   period_kind                                       day, month, quarter, year or rolling
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
--                                                     attempts of either period are worth fewer than 40 independent
--                                                     ones
-- promises
--   unique one_row_per_period_and_scope: period_code, is_all_businesses, business_id, currency_code
--   not null required_columns: period_code, period_kind, is_all_businesses, is_significant_change,
--       is_significant_amount_change, is_significant_attempt_change
--   holds change_is_in_its_interval: first_attempt_failure_change_ratio between first_attempt_failure_change_low_ratio
--       and first_attempt_failure_change_high_ratio
--   holds attempt_change_is_in_its_interval: attempt_failure_change_ratio between attempt_failure_change_low_ratio
--       and attempt_failure_change_high_ratio
--   holds a_significant_change_excludes_0: not is_significant_change
--       or first_attempt_failure_change_low_ratio > 0 or first_attempt_failure_change_high_ratio < 0
with

rates as not materialized (select * from model.range_failure_rates),

days as (
    select distinct
        rates.from_date as day_date,
        rates.from_date <= horizon.last_complete_date as is_over,
        min(rates.from_date) over () as first_date,
    from rates
    cross join model.horizon as horizon
    where rates.from_date = rates.until_date
),

periods as (
    select
        period_code,
        period_kind,
        period_start_date,
        period_end_date,
        is_complete,
        has_previous,
        if(has_previous, previous_start_date, null) as previous_start_date,
        previous_end_date,
        previous_until_at,
    from model.reporting_periods
    union all
    select
        day_date::varchar as period_code,
        'day' as period_kind,
        day_date as period_start_date,
        day_date as period_end_date,
        is_over as is_complete,
        is_over and day_date - 7 >= first_date as has_previous,
        if(has_previous, day_date - 7, null) as previous_start_date,
        day_date - 7 as previous_end_date,
        null as previous_until_at,
    from days
),

changes as (
    select
        periods.period_code,
        periods.period_kind,
        periods.period_start_date,
        periods.period_end_date,
        periods.is_complete,
        rates.range_id,
        rates.is_all_businesses,
        rates.business_id,
        rates.currency_code,
        if(periods.has_previous, coalesce(previous.first_attempt_count, 0), null) as previous_first_attempt_count,
        if(
            periods.has_previous, coalesce(previous.failed_first_attempt_count, 0), null
        ) as previous_failed_first_attempt_count,
        if(periods.has_previous, coalesce(previous.attempt_count, 0), null) as previous_attempt_count,
        if(periods.has_previous, coalesce(previous.failed_attempt_count, 0), null) as previous_failed_attempt_count,
        if(periods.has_previous, coalesce(previous.attempted_amount, 0), null) as previous_attempted_amount,
        if(periods.has_previous, coalesce(previous.failed_amount, 0), null) as previous_failed_amount,
        previous.first_attempt_failure_ratio as previous_first_attempt_failure_ratio,
        rates.first_attempt_failure_ratio - previous.first_attempt_failure_ratio as first_attempt_failure_change_ratio,
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
        previous.first_attempt_amount_failure_ratio as previous_first_attempt_amount_failure_ratio,
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
        previous.attempt_failure_ratio as previous_attempt_failure_ratio,
        rates.attempt_failure_ratio - previous.attempt_failure_ratio as attempt_failure_change_ratio,
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
        least(rates.effective_attempt_count, previous.effective_attempt_count) as fewest_effective_attempts,
    from periods
    inner join rates
        on
            periods.period_start_date = rates.from_date
            and periods.period_end_date = rates.until_date
            and rates.until_at is null
    left join rates as previous
        on
            periods.previous_start_date = previous.from_date
            and periods.previous_end_date = previous.until_date
            and periods.previous_until_at is not distinct from previous.until_at
            and rates.is_all_businesses = previous.is_all_businesses
            and rates.business_id is not distinct from previous.business_id
            and rates.currency_code is not distinct from previous.currency_code
),

-- The variance of retries is hardly known from fewer than 40, and chance would be found too often.
chances as (
    select
        *,
        change_chance(
            first_attempt_failure_change_ratio, first_attempt_failure_reach_down, first_attempt_failure_reach_up
        ) as first_attempt_chance,
        change_chance(
            first_attempt_amount_failure_change_ratio,
            first_attempt_amount_failure_reach_down,
            first_attempt_amount_failure_reach_up
        ) as first_attempt_amount_chance,
        if(
            fewest_effective_attempts >= 40,
            change_chance(attempt_failure_change_ratio, attempt_failure_reach_down, attempt_failure_reach_up),
            null
        ) as attempt_chance,
    from changes
),

each_chance as (
    unpivot (
        select
            period_code,
            is_all_businesses,
            business_id,
            currency_code,
            first_attempt_chance,
            first_attempt_amount_chance,
            attempt_chance,
        from chances
    )
    on first_attempt_chance, first_attempt_amount_chance, attempt_chance
    into name rate_name value chance
),

compared as (
    select
        rate_name,
        period_code,
        is_all_businesses,
        count(*) as compared_count,
    from each_chance
    group by all
),

-- Benjamini and Hochberg: of m comparisons the one of the k-th lowest chance p stands where m p / k is at most 5 %, or
-- that of one with a higher chance is. None above 5 % can, so only the others are ranked.
ranked as (
    select
        each_chance.*,
        each_chance.chance * compared.compared_count / rank() over (
            partition by compared.rate_name, compared.period_code, compared.is_all_businesses
            order by each_chance.chance
        ) as false_ratio,
    from each_chance
    inner join compared
        on
            each_chance.rate_name = compared.rate_name
            and each_chance.period_code = compared.period_code
            and each_chance.is_all_businesses = compared.is_all_businesses
    where each_chance.chance <= 0.05
),

judged as (
    select
        *,
        min(false_ratio) over (
            partition by rate_name, period_code, is_all_businesses order by chance desc
        ) <= 0.05 as stands,
    from ranked
),

standing as (
    select
        period_code,
        is_all_businesses,
        business_id,
        currency_code,
        bool_or(rate_name = 'first_attempt_chance') as is_significant_change,
        bool_or(rate_name = 'first_attempt_amount_chance') as is_significant_amount_change,
        bool_or(rate_name = 'attempt_chance') as is_significant_attempt_change,
    from judged
    where stands
    group by all
),

intervals as (
    select
        * exclude (
            first_attempt_failure_reach_down,
            first_attempt_failure_reach_up,
            first_attempt_chance,
            first_attempt_amount_failure_reach_down,
            first_attempt_amount_failure_reach_up,
            first_attempt_amount_chance,
            attempt_failure_reach_down,
            attempt_failure_reach_up,
            attempt_chance,
            fewest_effective_attempts
        ),
        first_attempt_failure_change_ratio - first_attempt_failure_reach_down as first_attempt_failure_change_low_ratio,
        first_attempt_failure_change_ratio + first_attempt_failure_reach_up as first_attempt_failure_change_high_ratio,
        first_attempt_amount_failure_change_ratio
        - first_attempt_amount_failure_reach_down as first_attempt_amount_failure_change_low_ratio,
        first_attempt_amount_failure_change_ratio
        + first_attempt_amount_failure_reach_up as first_attempt_amount_failure_change_high_ratio,
        attempt_failure_change_ratio - attempt_failure_reach_down as attempt_failure_change_low_ratio,
        attempt_failure_change_ratio + attempt_failure_reach_up as attempt_failure_change_high_ratio,
    from chances
),

rate_changes as (
    select
        intervals.*,
        coalesce(standing.is_significant_change, false) as is_significant_change,
        coalesce(standing.is_significant_amount_change, false) as is_significant_amount_change,
        coalesce(standing.is_significant_attempt_change, false) as is_significant_attempt_change,
        coalesce(compared.compared_count, 0) as compared_count,
    from intervals
    left join compared
        on
            compared.rate_name = 'first_attempt_chance'
            and intervals.period_code = compared.period_code
            and intervals.is_all_businesses = compared.is_all_businesses
    left join standing
        on
            intervals.period_code = standing.period_code
            and intervals.is_all_businesses = standing.is_all_businesses
            and intervals.business_id is not distinct from standing.business_id
            and intervals.currency_code is not distinct from standing.currency_code
)

select * from rate_changes -- noqa: AM04
