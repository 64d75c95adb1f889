-- The headline by how invoices are collected. One row per month, business (and all of them together) and currency with
-- a first attempt, and payment route; and once more per payer. Each kind of row adds up to the month's first attempts.
--
-- columns
--   month_start_date               First day of the month of the first attempts, in the reporting zone
--   is_all_businesses              True in the rows that take all businesses of the currency together
--   business_id                    Location that issued the invoices; null in the rows of all businesses
--   currency_code                  Currency of every amount in the row; null where the API gave none
--   route_kind                     payment_route or payer: what `route` says
--   route                          Of a payment_route: direct_debit, card, manual or unknown, as in `invoices`;
--                                  unknown are also those without mandate or card. Of a payer: automatic
--                                  (collected automatically) or manual, as the customer's own setting says, or
--                                  where that is not read as the invoice's attempts tell
--   first_attempt_count            Invoices attempted for the first time
--   failed_first_attempt_count     Those whose first attempt failed
--   no_method_first_attempt_count  Those of them that failed for want of a mandate or card
--   first_attempt_amount           What was due of the invoices
--   failed_first_attempt_amount    What was due of those whose first attempt failed
--   first_attempt_failure_ratio    failed_first_attempt_count / first_attempt_count
--   first_attempt_failure_low_ratio   Lower end of its 95 % interval (Wilson)
--   first_attempt_failure_high_ratio  Upper end of its 95 % interval
--   first_attempt_amount_failure_ratio        failed_first_attempt_amount / first_attempt_amount
--   with_method_first_attempt_failure_ratio   The headline without failures for no_payment_method
--   is_small_sample                True under 20 first attempts: read the interval, not the rate
--   no_rate_because                wording_not_understood where the rates are null because too many words are not
--                                  understood
--   rules_version                  Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope_and_route: month_start_date, is_all_businesses, business_id, currency_code, route_kind,
--       route
--   not null required_columns: month_start_date, is_all_businesses, route_kind, route, first_attempt_count,
--       failed_first_attempt_count
--   accepted: route_kind in (payment_route, payer)
--   accepted: route in (direct_debit, card, manual, unknown, automatic)
--   holds parts_are_no_more_than_the_whole: no_method_first_attempt_count <= failed_first_attempt_count
--       and failed_first_attempt_count <= first_attempt_count
--   holds rate_is_in_its_interval: first_attempt_failure_ratio between first_attempt_failure_low_ratio
--       and first_attempt_failure_high_ratio
-- published
with

firsts as (
    select
        attempts.*,
        invoices.payment_route,
        if(coalesce(invoices.is_manual_payer, not attempts.is_automatic), 'manual', 'automatic') as payer,
    from model.payment_attempts as attempts
    inner join model.invoices as invoices on attempts.invoice_id = invoices.invoice_id
    where attempts.is_first_attempt
),

month_rates as (
    select
        from_date as month_start_date,
        is_all_businesses,
        business_id,
        currency_code,
        no_rate_because,
        rules_version,
    from model.range_failure_rates
    where from_date = date_trunc('month', from_date) and until_date = last_day(from_date) and until_at is null
),

sums as (
    select
        month_start_date,
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        if(grouping(payer) = 1, 'payment_route', 'payer') as route_kind,
        coalesce(payment_route, payer) as route,
        count(*) as first_attempt_count,
        count(*) filter (where outcome = 'failed') as failed_first_attempt_count,
        count(*) filter (where failure_reason = 'no_payment_method') as no_method_first_attempt_count,
        coalesce(sum(invoice_amount), 0) as first_attempt_amount,
        coalesce(sum(invoice_amount) filter (where outcome = 'failed'), 0) as failed_first_attempt_amount,
    from firsts
    group by grouping sets (
        (month_start_date, currency_code, payment_route),
        (month_start_date, currency_code, payer),
        (month_start_date, business_id, currency_code, payment_route),
        (month_start_date, business_id, currency_code, payer)
    )
),

route_failure_rates as (
    select
        sums.*,
        told_ratio(
            month_rates.no_rate_because, sums.failed_first_attempt_count, sums.first_attempt_count
        ) as first_attempt_failure_ratio,
        wilson_low(first_attempt_failure_ratio, sums.first_attempt_count) as first_attempt_failure_low_ratio,
        wilson_high(first_attempt_failure_ratio, sums.first_attempt_count) as first_attempt_failure_high_ratio,
        told_ratio(
            month_rates.no_rate_because, sums.failed_first_attempt_amount, sums.first_attempt_amount
        ) as first_attempt_amount_failure_ratio,
        told_ratio(
            month_rates.no_rate_because,
            sums.failed_first_attempt_count - sums.no_method_first_attempt_count,
            sums.first_attempt_count - sums.no_method_first_attempt_count
        ) as with_method_first_attempt_failure_ratio,
        sums.first_attempt_count < 20 as is_small_sample,
        month_rates.no_rate_because,
        month_rates.rules_version,
    from sums
    inner join month_rates
        on
            sums.month_start_date = month_rates.month_start_date
            and sums.is_all_businesses = month_rates.is_all_businesses
            and sums.business_id is not distinct from month_rates.business_id
            and sums.currency_code is not distinct from month_rates.currency_code
)

select * from route_failure_rates
order by month_start_date, is_all_businesses, business_id, currency_code, route_kind, route
