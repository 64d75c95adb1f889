-- The monthly rates count as many pending entries as there are on invoices that figures count.
--
-- concerns
--   model.monthly_payment_failure_rates
with

entries as (
    select count(*) as entry_count
    from model.history_entries
    where kind = 'payment_pending' and excluded_because is null
),

rates as (select coalesce(sum(pending_count), 0) as pending_count from model.monthly_payment_failure_rates)

select
    entries.entry_count,
    rates.pending_count,
from entries
cross join rates
where entries.entry_count <> rates.pending_count
