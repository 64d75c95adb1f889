-- One row per range of days that figures are made of and day in it: each day with data, and each reporting period with
-- the range that it is compared with. A range that several of them share is one.
--
-- columns
--   range_id      Number of the range
--   from_date     Its first day, in the reporting zone
--   until_date    Its last day
--   until_at      Instant within its last day at which it ends; null where it holds the whole day
--   day_date      A day in it, as far as the data reaches
-- promises
--   unique: range_id, day_date
--   not null: range_id, from_date, until_date, day_date
with

horizon as (select * from model.horizon),

periods as (select * from model.reporting_periods),

entry_days as (
    select day_date from model.history_entries
    union
    select day_date from model.excluded_attempts
),

days as (
    select entry_days.day_date
    from entry_days
    inner join horizon on entry_days.day_date <= horizon.as_of_date
),

ranges as (
    select
        day_date as from_date,
        day_date as until_date,
        null::timestamptz as until_at,
    from days
    union
    select
        period_start_date as from_date,
        period_end_date as until_date,
        null::timestamptz as until_at,
    from periods
    union
    select
        previous_start_date as from_date,
        previous_end_date as until_date,
        previous_until_at as until_at,
    from periods
    where has_previous
),

numbered as (
    select
        row_number() over (order by from_date, until_date, until_at) as range_id,
        *,
    from ranges
),

range_days as (
    select
        numbered.*,
        unnest(
            generate_series(
                numbered.from_date::timestamp,
                least(numbered.until_date, horizon.as_of_date)::timestamp,
                interval 1 day
            )
        )::date as day_date,
    from numbered
    cross join horizon
)

select * from range_days
