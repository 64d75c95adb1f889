-- One row per period for which figures are published beside those of the period before: every calendar month, quarter
-- and year with data, and the last 28, 90 and 365 days. A period in progress is compared with the same part of the one
-- before, down to the hour at which the data ends.
--
-- columns
--   period_code            Code that names it: 2026-10, 2026-Q4, 2026, last-28-days
--   period_kind            month, quarter, year or rolling
--   period_start_date      Its first day, in the reporting zone
--   period_end_date        Its last day; of a period in progress, a day in the future
--   data_until_date        Last day of it for which there is data
--   previous_start_date    First day of the period that it is compared with
--   previous_end_date      Last day of that period
--   previous_until_at      Instant within that last day at which the comparison ends; null where the whole day counts
--   is_complete            True where the data covers all its days
--   has_previous           True where the data covers all days of the period before
-- promises
--   unique: period_code
--   not null required_columns: period_code, period_kind, period_start_date, period_end_date, data_until_date,
--       is_complete, has_previous
--   accepted: period_kind in (month, quarter, year, rolling)
--   holds data_ends_within_the_period: period_start_date <= data_until_date and data_until_date <= period_end_date
--   holds the_previous_period_is_before: previous_start_date <= previous_end_date and previous_end_date <
--       period_start_date
-- published
with

horizon as (select * from model.horizon),

entries as (select * from model.history_entries),

excluded as (select * from model.excluded_attempts),

entry_days as (
    select day_date from entries
    union
    select day_date from excluded
),

-- An entry that is dated after the end of the data makes no period.
spans as (
    select
        min(entry_days.day_date) as first_date,
        any_value(horizon.as_of_date) as last_date,
        any_value(horizon.last_complete_date) as last_complete_date,
        any_value(horizon.as_of_at at time zone horizon.reporting_timezone) as as_of_local,
    from horizon
    inner join entry_days on horizon.as_of_date >= entry_days.day_date
    having count(*) > 0
),

months as (
    select
        spans.*,
        unnest(
            generate_series(
                date_trunc('month', spans.first_date)::timestamp,
                date_trunc('month', spans.last_date)::timestamp,
                interval 1 month
            )
        )::date as month_start_date,
    from spans
),

calendar_periods as (
    select
        strftime(month_start_date, '%Y-%m') as period_code,
        'month' as period_kind,
        month_start_date as period_start_date,
        (month_start_date + interval 1 month)::date - 1 as period_end_date,
        (month_start_date - interval 1 month)::date as previous_start_date,
    from months
    union
    select
        year(month_start_date) || '-Q' || quarter(month_start_date) as period_code,
        'quarter' as period_kind,
        date_trunc('quarter', month_start_date)::date as period_start_date,
        (date_trunc('quarter', month_start_date) + interval 3 month)::date - 1 as period_end_date,
        (date_trunc('quarter', month_start_date) - interval 3 month)::date as previous_start_date,
    from months
    union
    select
        year(month_start_date)::varchar as period_code,
        'year' as period_kind,
        date_trunc('year', month_start_date)::date as period_start_date,
        (date_trunc('year', month_start_date) + interval 1 year)::date - 1 as period_end_date,
        (date_trunc('year', month_start_date) - interval 1 year)::date as previous_start_date,
    from months
),

rolling_lengths as (select unnest([28, 90, 365]) as day_count),

rolling_periods as (
    select
        'last-' || rolling_lengths.day_count || '-days' as period_code,
        'rolling' as period_kind,
        spans.last_complete_date - rolling_lengths.day_count + 1 as period_start_date,
        spans.last_complete_date as period_end_date,
        spans.last_complete_date - 2 * rolling_lengths.day_count + 1 as previous_start_date,
    from spans
    cross join rolling_lengths
),

periods as (
    select * from calendar_periods
    union all
    select * from rolling_periods
),

-- As much of the period before as has passed of the one in progress, in local time.
compared as (
    select
        periods.*,
        spans.first_date,
        spans.last_date,
        spans.last_complete_date,
        case
            when periods.period_end_date > spans.last_complete_date
                then
                    least(
                        periods.previous_start_date::timestamp
                        + (spans.as_of_local - periods.period_start_date::timestamp),
                        periods.period_start_date::timestamp
                    )
            else periods.period_start_date::timestamp
        end as previous_until_local,
    from periods
    cross join spans
),

reporting_periods as (
    select
        compared.period_code,
        compared.period_kind,
        compared.period_start_date,
        compared.period_end_date,
        least(compared.period_end_date, compared.last_date) as data_until_date,
        compared.previous_start_date,
        greatest(
            (compared.previous_until_local - interval 1 microsecond)::date, compared.previous_start_date
        ) as previous_end_date,
        case
            when compared.previous_until_local::time <> time '00:00:00'
                then compared.previous_until_local at time zone horizon.reporting_timezone
        end as previous_until_at,
        compared.period_end_date <= compared.last_complete_date
        and compared.period_start_date >= compared.first_date as is_complete,
        compared.previous_start_date >= compared.first_date as has_previous,
    from compared
    cross join horizon
)

select * from reporting_periods
order by period_start_date, period_end_date
