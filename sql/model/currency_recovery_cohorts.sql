-- One row per currency and month of the first failure: `recovery_cohorts` with all businesses taken together.
--
-- columns as in
--   model.scope_recovery_cohorts without is_all_businesses, business_id
-- promises
--   unique: currency_code, month_start_date
--   not null: month_start_date
-- published
with

cohorts as (select * from model.scope_recovery_cohorts)

select * exclude (is_all_businesses, business_id), -- noqa: AM04
from cohorts
where is_all_businesses
order by currency_code, month_start_date
