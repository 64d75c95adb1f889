-- Live landed entries and the rows of history_entries are the same ids. (That no id comes twice is a promise of its
-- own.)
--
-- concerns
--   model.history_entries
with

live_entries as (
    select id from land.coworker_invoice_histories
    where deleted_at is null
),

history_entries as (select entry_id from model.history_entries)

select
    live_entries.id as landed_id,
    history_entries.entry_id as published_id,
from live_entries
full join history_entries on live_entries.id = history_entries.entry_id
where live_entries.id is null or history_entries.entry_id is null
