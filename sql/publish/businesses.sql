-- One row per business (location) that an entry or invoice is of, with its name where one is known: from the file that
-- NEXUDUS_BUSINESSES_FILE names, or from the API where the role Business-List is granted.
--
-- columns
--   business_id         Id of the business
--   business_name       Its name; its id where no name is known
--   time_zone           Its time zone as the source gives it; null where not known
--   name_source         file, api or none
--   entry_count         Live history entries of the business
--   first_entry_date    Day of its first entry in the reporting zone
--   last_entry_date     Day of its newest entry in the reporting zone
with

entries as (select * from model.history_entries),

names as (select * from land.business_names),

known as (
    select
        business_id,
        count(*) as entry_count,
        min(day_date) as first_entry_date,
        max(day_date) as last_entry_date,
    from entries
    where business_id is not null
    group by business_id
),

businesses as (
    select
        known.business_id,
        coalesce(names.business_name, known.business_id::varchar) as business_name,
        names.time_zone,
        case when names.business_name is null then 'none' else names.name_source end as name_source,
        known.entry_count,
        known.first_entry_date,
        known.last_entry_date,
    from known
    left join names on known.business_id = names.business_id
)

select * from businesses
order by business_name, business_id
