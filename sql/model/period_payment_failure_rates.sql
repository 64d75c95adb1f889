-- One row per reporting period, business (and all of them together) and currency with a payment attempt, counted or
-- left out, or a payment in flight: the failure rates beside those of the period before, and whether the change is more
-- than chance.
--
-- columns as in
--   model.rate_changes without range_id, is_all_businesses, business_id, currency_code
--   model.range_failure_rates without range_id, from_date, until_date, until_at
-- promises
--   unique one_row_per_period_and_scope: period_code, is_all_businesses, business_id, currency_code
-- published
with

rates as (select * exclude (from_date, until_date, until_at) from model.range_failure_rates),

changes as (select * from model.rate_changes)

select
    changes.* exclude (range_id, is_all_businesses, business_id, currency_code), -- noqa: RF02, AM04
    rates.* exclude (range_id), -- noqa: RF02
from changes
inner join rates
    on
        changes.range_id = rates.range_id
        and changes.is_all_businesses = rates.is_all_businesses
        and changes.business_id is not distinct from rates.business_id
        and changes.currency_code is not distinct from rates.currency_code
where changes.period_kind <> 'day'
order by
    changes.period_start_date, changes.period_code, rates.is_all_businesses, rates.business_id, rates.currency_code
