-- One row per business, currency and month of the first failure: what became of the invoices that failed, and which
-- share of them was recovered within some days.
--
-- columns as in
--   model.scope_recovery_cohorts without is_all_businesses
-- promises
--   unique: business_id, currency_code, month_start_date
--   not null: month_start_date
-- published
with

cohorts as (select * from model.scope_recovery_cohorts)

select * exclude (is_all_businesses), -- noqa: AM04
from cohorts
where not is_all_businesses
order by business_id, currency_code, month_start_date
