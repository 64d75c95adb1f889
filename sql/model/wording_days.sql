-- One row per business, currency and day: how many entries, flagged entries and paid invoices there are, and how
-- many of them no rule explains. A paid invoice counts on the day of its first success; where it has none, on the day
-- of its last entry that no rule explains, for that may be its success.
--
-- columns
--   business_id                       Location that issued the invoices
--   currency_code                     Its currency; null where the API gave none
--   day_date                          Calendar day in the reporting zone
--   entry_count                       Entries
--   unexplained_entry_count           Entries whose words no rule explains
--   flagged_entry_count               Entries that the API flags
--   unexplained_flagged_entry_count   Those whose words no rule explains
--   paid_invoice_count                Paid invoices with a success, or with an entry that no rule explains
--   unexplained_paid_invoice_count    Those without any success
-- promises
--   unique: business_id, currency_code, day_date
--   not null: day_date
--   holds unexplained_entries_are_entries: unexplained_entry_count <= entry_count
--       and unexplained_flagged_entry_count <= flagged_entry_count
--       and unexplained_paid_invoice_count <= paid_invoice_count
with

entries as (select * from model.history_entries),

paid_invoices as (
    select invoice_id from model.invoices
    where is_paid
),

entry_sums as (
    select
        business_id,
        currency_code,
        day_date,
        count(*) as entry_count,
        count(*) filter (where not is_understood) as unexplained_entry_count,
        count(*) filter (where is_problem) as flagged_entry_count,
        count(*) filter (where is_problem and not is_understood) as unexplained_flagged_entry_count,
        0 as paid_invoice_count,
        0 as unexplained_paid_invoice_count,
    from entries
    group by business_id, currency_code, day_date
),

invoice_days as (
    select
        any_value(entries.business_id) as business_id,
        any_value(entries.currency_code) as currency_code,
        min(entries.day_date) filter (where entries.kind = 'payment_succeeded') as success_date,
        coalesce(success_date, max(entries.day_date)) as day_date,
    from entries
    inner join paid_invoices on entries.invoice_id = paid_invoices.invoice_id
    where entries.kind = 'payment_succeeded' or not entries.is_understood
    group by entries.invoice_id
),

invoice_sums as (
    select
        business_id,
        currency_code,
        day_date,
        count(*) as paid_invoice_count,
        count(*) filter (where success_date is null) as unexplained_paid_invoice_count,
    from invoice_days
    group by business_id, currency_code, day_date
),

parts as (
    select * from entry_sums
    union all by name
    select * from invoice_sums
),

wording_days as (
    select
        business_id,
        currency_code,
        day_date,
        coalesce(sum(columns('_count$')), 0)::bigint as '\0', -- noqa: RF05
    from parts
    group by business_id, currency_code, day_date
)

select * from wording_days
