-- When do first attempts fail? One row per scope (currency, or business and currency) and weekday, day of the month or
-- hour of the day, in the reporting zone. First attempts only: retries are made on days of their own. Not a cause: a
-- plan that is billed on the 1st has other members than one billed on the 15th.
--
-- columns
--   is_all_businesses              True in the rows that take all businesses of the currency together
--   business_id                    Location that issued the invoices; null in the rows of all businesses
--   currency_code                  Currency of every amount in the row; null where the API gave none
--   timing_kind                    weekday, day_of_month or hour
--   timing_number                  1 (Monday) to 7; 1 to 31; 0 to 23
--   first_attempt_count            Invoices whose first attempt was reported then
--   failed_first_attempt_count     Those whose first attempt failed
--   first_attempt_amount           Sum of the invoice amounts over the first attempts
--   failed_first_attempt_amount    Sum of the invoice amounts over those that failed
--   first_attempt_failure_ratio    failed_first_attempt_count / first_attempt_count
--   first_attempt_failure_low_ratio   Lower end of its 95 % interval (Wilson)
--   first_attempt_failure_high_ratio  Upper end of its 95 % interval
--   is_small_sample                True under 20 first attempts: read the interval, not the rate
--   no_rate_because                wording_not_understood where the rates are null because too many words are not
--                                  understood
--   rules_version                  Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope_and_time: is_all_businesses, business_id, currency_code, timing_kind, timing_number
--   not null required_columns: is_all_businesses, timing_kind, timing_number, first_attempt_count,
--       failed_first_attempt_count
--   accepted: timing_kind in (weekday, day_of_month, hour)
--   holds failed_first_attempts_are_first_attempts: failed_first_attempt_count <= first_attempt_count
--   holds rate_is_in_its_interval: first_attempt_failure_ratio between first_attempt_failure_low_ratio
--       and first_attempt_failure_high_ratio
-- published
with

wording as (select * from model.scope_wording),

firsts as (
    select
        business_id,
        currency_code,
        day_date,
        epoch_ms(attempted_at) // 900000 as quarter_hour,
        count(*) as first_attempt_count,
        count(*) filter (where outcome = 'failed') as failed_first_attempt_count,
        sum(invoice_amount) as first_attempt_amount,
        sum(invoice_amount) filter (where outcome = 'failed') as failed_first_attempt_amount,
        any_value(rules_version) as rules_version,
    from model.payment_attempts
    where is_first_attempt
    group by all
),

-- Local time is expensive to find, and no zone is offset by less than a quarter of an hour.
quarter_hours as (
    select
        quarter_hour,
        hour(
            make_timestamptz(quarter_hour * 900000000) at time zone getvariable('reporting_timezone')
        ) as hour_number,
    from (select distinct firsts.quarter_hour from firsts) as distinct_quarter_hours
),

times as (
    select
        firsts.*,
        isodow(firsts.day_date) as weekday_number,
        day(firsts.day_date) as month_day_number,
        quarter_hours.hour_number,
    from firsts
    inner join quarter_hours on firsts.quarter_hour = quarter_hours.quarter_hour
),

sums as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        case
            when grouping(weekday_number) = 0 then 'weekday'
            when grouping(month_day_number) = 0 then 'day_of_month'
            else 'hour'
        end as timing_kind,
        coalesce(weekday_number, month_day_number, hour_number) as timing_number,
        sum(first_attempt_count)::bigint as first_attempt_count,
        sum(failed_first_attempt_count)::bigint as failed_first_attempt_count,
        coalesce(sum(first_attempt_amount), 0) as first_attempt_amount,
        coalesce(sum(failed_first_attempt_amount), 0) as failed_first_attempt_amount,
        any_value(rules_version) as rules_version,
    from times
    group by grouping sets (
        (currency_code, weekday_number),
        (currency_code, month_day_number),
        (currency_code, hour_number),
        (business_id, currency_code, weekday_number),
        (business_id, currency_code, month_day_number),
        (business_id, currency_code, hour_number)
    )
),

payment_timing as (
    select
        sums.* exclude (rules_version), -- noqa: RF02
        told_ratio(
            wording.no_rate_because, sums.failed_first_attempt_count, sums.first_attempt_count
        ) as first_attempt_failure_ratio,
        wilson_low(first_attempt_failure_ratio, sums.first_attempt_count) as first_attempt_failure_low_ratio,
        wilson_high(first_attempt_failure_ratio, sums.first_attempt_count) as first_attempt_failure_high_ratio,
        sums.first_attempt_count < 20 as is_small_sample,
        wording.no_rate_because,
        sums.rules_version,
    from sums
    left join wording
        on
            sums.is_all_businesses = wording.is_all_businesses
            and sums.business_id is not distinct from wording.business_id
            and sums.currency_code is not distinct from wording.currency_code
)

select * from payment_timing
