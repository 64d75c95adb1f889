-- One row per business, currency, kind of problem and calendar day, without gaps: how many problem entries there were,
-- compared with what is usual for that weekday. `pipelines/model/trends.py` computes it in polars; formula and sources
-- are there.
--
-- columns
--   business_id            Location that issued the invoices
--   currency_code          Currency of that location; null where the API gave none
--   kind                   What the entries are, by the rules
--   day_date               Calendar day in the reporting zone; from the location's first entry to the newest data
--   problem_entry_count    Problem entries of the day; 0 where there was none
--   mean_7_day_count       Mean of the day and the 6 before it; null in the first 6 days
--   mean_28_day_count      Mean of the day and the 27 before it; null in the first 27 days
--   baseline_count         Median of the same weekday over the eight weeks before; null until four weeks are known
--   is_complete_day        False where the data ends within the day
--   rules_version          Checksum of the rules that were applied
-- promises
--   unique: business_id, currency_code, kind, day_date
--   not null required_columns: kind, day_date, problem_entry_count, is_complete_day
--   holds: problem_entry_count >= 0 and baseline_count >= 0
-- reads
--   model.daily_problem_entries
--   model.history_entries
-- published
with

trends as (select * from polars_trends),

horizon as (select * from model.horizon),

versions as (select distinct rules_version from model.entry_rules),

problem_entry_trends as (
    select
        trends.business_id,
        trends.currency_code,
        trends.kind,
        trends.day_date,
        trends.problem_entry_count,
        trends.mean_7_day_count,
        trends.mean_28_day_count,
        trends.baseline_count,
        trends.day_date <= horizon.last_complete_date as is_complete_day,
        versions.rules_version,
    from trends
    cross join horizon
    cross join versions
)

select * from problem_entry_trends
