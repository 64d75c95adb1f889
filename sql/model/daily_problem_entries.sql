-- One row per business, currency, day, kind and failure reason with entries that report something wrong: every live
-- entry that the API flags or whose kind is a failure, except what this program wrote itself. No invoice is left out.
--
-- columns
--   business_id              Location that issued the invoices
--   currency_code            Currency of that location; null where the API gave none
--   day_date                 Calendar day in the reporting zone on which the entries were made
--   month_start_date         First day of that month
--   kind                     What the entries are, by the rules
--   failure_reason           Why a payment failed; null for every other kind
--   problem_entry_count      Entries
--   unflagged_entry_count    Those that the API does not flag as a problem
--   invoice_count            Invoices that they are about
--   rules_version            Checksum of the rules that were applied
-- promises
--   unique one_row_per_day_kind_and_reason: business_id, currency_code, day_date, kind, failure_reason
--   not null: day_date, month_start_date, kind, problem_entry_count
--   holds unflagged_entries_are_problem_entries: problem_entry_count > 0 and unflagged_entry_count between 0 and
--       problem_entry_count
-- published
with

problem_entries as (
    select * from model.history_entries
    where has_problem
),

daily_problem_entries as (
    select
        business_id,
        currency_code,
        day_date,
        month_start_date,
        kind,
        failure_reason,
        count(*) as problem_entry_count,
        count(*) filter (where not is_problem) as unflagged_entry_count,
        count(distinct invoice_id) as invoice_count,
        any_value(rules_version) as rules_version,
    from problem_entries
    group by business_id, currency_code, day_date, month_start_date, kind, failure_reason
)

select * from daily_problem_entries
