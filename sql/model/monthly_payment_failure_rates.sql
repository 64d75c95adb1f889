-- One row per business, currency and calendar month with a payment attempt, counted or left out, or a payment in
-- flight. Each rate stands beside its numerator and denominator, and its change against the month
-- before; see `docs/figures.md` for definitions.
--
-- columns
--   month_start_date    First day of the month in the reporting zone in which the entries were made
-- columns as in
--   model.rate_changes without range_id, is_all_businesses, business_id, currency_code,
--       period_code, period_kind, period_start_date, period_end_date
--   model.range_failure_rates without range_id, from_date, until_date, until_at, is_all_businesses
-- promises
--   unique: business_id, currency_code, month_start_date
--   not null: month_start_date
-- published
with

rates as (
    select * exclude (from_date, until_date, until_at, is_all_businesses)
    from model.range_failure_rates
    where not is_all_businesses
),

changes as (
    select
        period_start_date as month_start_date,
        * exclude (period_code, period_kind, period_start_date, period_end_date, is_all_businesses),
    from model.rate_changes
    where period_kind = 'month' and not is_all_businesses
)

select
    changes.* exclude (range_id, business_id, currency_code), -- noqa: RF02, AM04
    rates.* exclude (range_id), -- noqa: RF02
from changes
inner join rates
    on
        changes.range_id = rates.range_id
        and changes.business_id is not distinct from rates.business_id
        and changes.currency_code is not distinct from rates.currency_code
