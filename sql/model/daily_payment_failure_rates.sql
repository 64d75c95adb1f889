-- One row per business, currency and day with a payment attempt, counted or left out, or a payment in flight.
-- Each rate stands beside its numerator and denominator; see `docs/figures.md` for definitions.
--
-- columns
--   day_date    Calendar day in the reporting zone on which the entries were made
-- columns as in
--   model.range_failure_rates without range_id, from_date, until_date, until_at, is_all_businesses
-- promises
--   unique: business_id, currency_code, day_date
--   not null: day_date
-- published
with

rates as (select * from model.range_failure_rates)

select
    business_id,
    currency_code,
    from_date as day_date,
    * exclude ( -- noqa: AM04
        range_id, from_date, until_date, until_at, is_all_businesses, business_id, currency_code
    ),
from rates
where from_date = until_date and until_at is null and not is_all_businesses
