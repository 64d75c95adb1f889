-- How the headline of a month came about: one row per scope (currency, or business and currency), month and day with a
-- first attempt, with the rate from the first of the month to that day. On the month's last row it is the month's rate.
--
-- columns
--   is_all_businesses              True in the rows that take all businesses of the currency together
--   business_id                    Location that issued the invoices; null in the rows of all businesses
--   currency_code                  Currency of the invoices; null where the API gave none
--   month_start_date               First day of the month
--   day_date                       Day up to which it is counted, in the reporting zone
--   day_of_month                   Its number, 1 to 31, for comparing months
--   first_attempt_count            Invoices first attempted from the first of the month to that day
--   failed_first_attempt_count     Those whose first attempt failed
--   first_attempt_failure_ratio    failed_first_attempt_count / first_attempt_count; null where the month has no rate,
--                                  because too many words are not understood
--   rules_version                  Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope_and_day: is_all_businesses, business_id, currency_code, day_date
--   not null required_columns: is_all_businesses, month_start_date, day_date, first_attempt_count,
--       failed_first_attempt_count
--   holds failed_first_attempts_are_first_attempts: failed_first_attempt_count <= first_attempt_count
-- published
with

days as (
    select * from model.daily_payment_failure_rates
    where first_attempt_count > 0
),

scopes as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        day_date,
        sum(first_attempt_count) as tried,
        sum(failed_first_attempt_count) as failed,
        any_value(rules_version) as rules_version,
    from days
    group by grouping sets (
        (currency_code, day_date),
        (business_id, currency_code, day_date)
    )
),

sums as (
    select
        is_all_businesses,
        business_id,
        currency_code,
        date_trunc('month', day_date)::date as month_start_date,
        day_date,
        day(day_date) as day_of_month,
        (sum(tried) over month_so_far)::bigint as first_attempt_count,
        (sum(failed) over month_so_far)::bigint as failed_first_attempt_count,
        rules_version,
    from scopes
    window month_so_far as (
        partition by is_all_businesses, business_id, currency_code, date_trunc('month', day_date)
        order by day_date
    )
),

months as (
    select * from model.period_payment_failure_rates
    where period_kind = 'month'
),

so_far as (
    select
        sums.is_all_businesses,
        sums.business_id,
        sums.currency_code,
        sums.month_start_date,
        sums.day_date,
        sums.day_of_month,
        sums.first_attempt_count,
        sums.failed_first_attempt_count,
        told_ratio(
            months.no_rate_because, sums.failed_first_attempt_count, sums.first_attempt_count
        ) as first_attempt_failure_ratio,
        sums.rules_version,
    from sums
    left join months
        on
            sums.month_start_date = months.period_start_date
            and sums.is_all_businesses = months.is_all_businesses
            and sums.business_id is not distinct from months.business_id
            and sums.currency_code is not distinct from months.currency_code
)

select * from so_far
