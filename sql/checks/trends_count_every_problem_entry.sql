-- The trends count as many problem entries as daily_problem_entries has up to the end of the data.
--
-- concerns
--   model.problem_entry_trends
with

daily as (
    select coalesce(sum(entries.problem_entry_count), 0) as daily_count
    from model.daily_problem_entries as entries
    inner join model.horizon as horizon on entries.day_date <= horizon.as_of_date
),

trends as (select coalesce(sum(problem_entry_count), 0) as trend_count from model.problem_entry_trends)

select
    daily.daily_count,
    trends.trend_count,
from daily
cross join trends
where daily.daily_count <> trends.trend_count
