-- One row per title, flag and description pattern of entries whose words no rule explains, flagged or not, most
-- frequent first: the texts that the lists in `sql/rules` should learn. `nexudus-billing rules explain` shows how.
--
-- columns
--   frequency_rank         1 for the most frequent pattern
--   name                   Title of the entries
--   description_pattern    Their text with numbers, e-mail addresses and the names of the people involved replaced
--   public_name            The title as it may be published without personal data: the words that the rules know
--   public_description     The same of the text
--   is_problem             The API's flag on the entries
--   kind                   What they are taken for meanwhile
--   entry_count            Entries
--   invoice_count          Invoices that they are about
--   business_count         Locations where they occur
--   first_entry_at         When the first was made
--   last_entry_at          When the newest was made
--   example_entry_id       The newest of them
--   rules_version          Checksum of the rules that were applied
-- promises
--   unique: frequency_rank
--   unique: name, description_pattern, is_problem, kind
--   not null: frequency_rank, is_problem, kind, entry_count
-- personal
--   name: public_name
--   description_pattern: public_description
-- published
with

unrecognised as (
    select * from model.history_entries
    where not is_understood
),

patterns as (
    select
        name,
        description_pattern,
        is_problem,
        kind,
        any_value(public_name) as public_name,
        any_value(public_description) as public_description,
        count(*) as entry_count,
        count(distinct invoice_id) as invoice_count,
        count(distinct business_id) as business_count,
        min(created_at) as first_entry_at,
        max(created_at) as last_entry_at,
        arg_max(entry_id, struct_pack(created_at := created_at, entry_id := entry_id)) as example_entry_id,
        any_value(rules_version) as rules_version,
    from unrecognised
    group by name, description_pattern, is_problem, kind
),

unrecognised_entries as (
    select
        row_number() over (order by entry_count desc, last_entry_at desc, example_entry_id asc) as frequency_rank,
        *,
    from patterns
)

select *
from unrecognised_entries
order by frequency_rank
