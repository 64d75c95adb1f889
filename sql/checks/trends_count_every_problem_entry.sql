-- The trends count as many problem entries as daily_problem_entries.
--
-- concerns
--   model.problem_entry_trends
with

daily as (select coalesce(sum(problem_entry_count), 0) as daily_count from model.daily_problem_entries),

trends as (select coalesce(sum(problem_entry_count), 0) as trend_count from model.problem_entry_trends)

select
    daily.daily_count,
    trends.trend_count,
from daily
cross join trends
where daily.daily_count <> trends.trend_count
