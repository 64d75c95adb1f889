-- One row per business, currency and calendar month with a payment attempt, counted or left out, or a payment in
-- flight. Each rate stands beside its numerator and denominator; see `docs/figures.md` for definitions.
--
-- columns
--   month_start_date    First day of the month in the reporting zone in which the entries were made
-- columns as in
--   model.range_failure_rates without range_id, from_date, until_date, until_at, is_all_businesses
-- promises
--   unique: business_id, currency_code, month_start_date
--   not null: month_start_date
-- published
with

rates as (select * from model.range_failure_rates)

select
    business_id,
    currency_code,
    from_date as month_start_date,
    * exclude ( -- noqa: AM04
        range_id, from_date, until_date, until_at, is_all_businesses, business_id, currency_code
    ),
from rates
where
    from_date = date_trunc('month', from_date)
    and until_date = last_day(from_date)
    and until_at is null
    and not is_all_businesses
