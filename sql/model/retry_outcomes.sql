-- Does retrying work, and when? One row per scope of retries: how many succeeded. A retry is an attempt on an invoice
-- whose attempt before it failed. A scope is a currency, or a business and currency; of all retries, or of those with
-- one reason of the failure before, one attempt number, or one number of days since the failure; per currency also of
-- a reason together with one of the other two. Not a cause: what was tried late may have been harder to collect.
--
-- columns
--   is_all_businesses      True in the rows that take all businesses of the currency together
--   business_id            Location that issued the invoices; null in the rows of all businesses
--   currency_code          Currency of the invoices; null where the API gave none
--   is_all_reasons         True in the rows that take all reasons together
--   failed_before_reason   Why the attempt before failed; null in the rows of all reasons
--   is_all_attempts        True in the rows that take all attempt numbers together
--   attempt_band           Number of the attempt: 2, 3, 4 or 5+; null in the rows of all numbers
--   is_all_waits           True in the rows that take all numbers of days together
--   days_band              Calendar days since the attempt before: 0, 1, 2-3, 4-7, 8-14, 15-28 or 29+; null in the rows
--                          of all of them
--   retry_count            Retries
--   succeeded_retry_count  Those that succeeded
--   retried_invoice_count  Invoices retried: the size of sample that the interval rests on
--   success_ratio          succeeded_retry_count / retry_count
--   success_low_ratio      Lower end of its 95 % interval (Wilson; an invoice counts once, however often retried)
--   success_high_ratio     Upper end of its 95 % interval
--   is_small_sample        True under 20 invoices: read the interval, not the rate
--   no_rate_because        wording_not_understood where the rates are null because too many words are not understood
--   rules_version          Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope: is_all_businesses, business_id, currency_code, is_all_reasons, failed_before_reason,
--       is_all_attempts, attempt_band, is_all_waits, days_band
--   not null required_columns: is_all_businesses, is_all_reasons, is_all_attempts, is_all_waits, retry_count,
--       succeeded_retry_count
--   holds succeeded_retries_are_retries: succeeded_retry_count <= retry_count and retried_invoice_count <= retry_count
--   holds share_is_in_its_interval: success_ratio between success_low_ratio and success_high_ratio
--   accepted: attempt_band in (2, 3, 4, 5+)
--   accepted: days_band in (0, 1, 2-3, 4-7, 8-14, 15-28, 29+)
-- published
with

wording as (select * from model.scope_wording),

-- Most invoices are tried once, so they need no looking back.
tried_again as (
    select
        business_id,
        currency_code,
        invoice_id,
        attempt_number,
        outcome,
        rules_version,
        lag(failure_reason) over earlier as failed_before_reason,
        day_date - lag(day_date) over earlier as days_since_failure,
    from model.payment_attempts
    where not (is_first_attempt and is_last_attempt)
    window earlier as (partition by invoice_id order by attempt_number)
),

retries as (
    select
        *,
        if(attempt_number > 4, '5+', attempt_number::varchar) as attempt_band,
        case
            when days_since_failure <= 1 then days_since_failure::varchar
            when days_since_failure <= 3 then '2-3'
            when days_since_failure <= 7 then '4-7'
            when days_since_failure <= 14 then '8-14'
            when days_since_failure <= 28 then '15-28'
            else '29+'
        end as days_band,
    from tried_again
    where failed_before_reason is not null
),

sums as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        grouping(failed_before_reason) = 1 as is_all_reasons,
        failed_before_reason,
        grouping(attempt_band) = 1 as is_all_attempts,
        attempt_band,
        grouping(days_band) = 1 as is_all_waits,
        days_band,
        count(*) as retry_count,
        count(*) filter (where outcome = 'succeeded') as succeeded_retry_count,
        count(distinct invoice_id) as retried_invoice_count,
        any_value(rules_version) as rules_version,
    from retries
    group by grouping sets (
        (currency_code),
        (currency_code, failed_before_reason),
        (currency_code, attempt_band),
        (currency_code, days_band),
        (currency_code, failed_before_reason, attempt_band),
        (currency_code, failed_before_reason, days_band),
        (business_id, currency_code),
        (business_id, currency_code, failed_before_reason),
        (business_id, currency_code, attempt_band),
        (business_id, currency_code, days_band)
    )
),

retry_outcomes as (
    select
        sums.* exclude (rules_version), -- noqa: RF02
        told_ratio(wording.no_rate_because, sums.succeeded_retry_count, sums.retry_count) as success_ratio,
        wilson_low(success_ratio, sums.retried_invoice_count) as success_low_ratio,
        wilson_high(success_ratio, sums.retried_invoice_count) as success_high_ratio,
        sums.retried_invoice_count < 20 as is_small_sample,
        wording.no_rate_because,
        sums.rules_version,
    from sums
    left join wording
        on
            sums.is_all_businesses = wording.is_all_businesses
            and sums.business_id is not distinct from wording.business_id
            and sums.currency_code is not distinct from wording.currency_code
)

select * from retry_outcomes
