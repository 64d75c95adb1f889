-- One row per period for which figures are published side by side with the period before: every calendar month, quarter
-- and year with data, and the last 28, 90 and 365 days. A period in progress is compared with the same number
-- of days of the one before.
--
-- columns
--   period_code            Code that names it: 2026-10, 2026-Q4, 2026, last-28-days
--   period_kind            month, quarter, year or rolling
--   period_start_date      Its first day, in the reporting zone
--   period_end_date        Its last day; of a period in progress, a day in the future
--   data_until_date        Last day of it for which there is data
--   previous_start_date    First day of the period that it is compared with
--   previous_end_date      Last day of that period
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

spans as (
    select
        min(entry_days.day_date) as first_date,
        greatest(max(entry_days.day_date), any_value(horizon.as_of_date)) as last_date,
        any_value(horizon.last_complete_date) as last_complete_date,
    from horizon
    cross join entry_days
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

reporting_periods as (
    select
        periods.period_code,
        periods.period_kind,
        periods.period_start_date,
        periods.period_end_date,
        least(periods.period_end_date, spans.last_date) as data_until_date,
        periods.previous_start_date,
        case
            when periods.period_end_date <= spans.last_date then periods.period_start_date - 1
            else
                least(
                    periods.previous_start_date + (spans.last_date - periods.period_start_date)::integer,
                    periods.period_start_date - 1
                )
        end as previous_end_date,
        periods.period_end_date <= spans.last_complete_date
        and periods.period_start_date >= spans.first_date as is_complete,
        periods.previous_start_date >= spans.first_date as has_previous,
    from periods
    cross join spans
)

select * from reporting_periods
order by period_start_date, period_end_date
