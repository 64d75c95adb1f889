-- A series has a row for every day between its first and its last.
--
-- concerns
--   model.problem_entry_trends
with

series as (
    select
        business_id,
        currency_code,
        kind,
        min(day_date) as first_date,
        max(day_date) as last_date,
        count(*) as day_count,
    from model.problem_entry_trends
    group by all
)

select *
from series
where day_count <> last_date - first_date + 1
