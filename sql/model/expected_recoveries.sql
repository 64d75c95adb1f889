-- How much of what is open will still come in? One row per scope of open failed invoices: their amount, and how much of
-- it is expected to be recovered by the 90th day after the first failure, given how long each has been open and why it
-- failed: the sum of `expected_invoice_recoveries`, with a range. Scopes: currency; currency and reason; currency and
-- ageing band; business and currency.
--
-- columns
--   is_all_businesses        True in the rows that take all businesses of the currency together
--   business_id              Location that issued the invoices; null in the rows of all businesses
--   currency_code            Currency of every amount in the row; null where the API gave none
--   is_all_reasons           True in the rows that take all reasons together
--   first_failure_reason     Why the first attempt failed; null in the rows of all reasons
--   is_all_bands             True in the rows that take all ageing bands together
--   ageing_band              0-30, 31-60, 61-90 or 91+ days open; null in the rows of all bands
--   open_invoice_count       Invoices that failed and are not paid
--   open_amount              What is due of them
--   expected_amount          Sum of amount x probability
--   expected_low_amount      Lower end of a range of about 95 %: chance of the invoices, and of the curve behind them
--   expected_high_amount     Upper end of that range
--   expected_ratio           expected_amount / open_amount
--   pooled_invoice_count     Invoices whose reason is too rare, so that the currency's curve stands in
--   unknown_invoice_count    Invoices of which no curve tells anything; nothing is expected of them, and up to all of
--                            their amount is in the range
--   rules_version            Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope: is_all_businesses, business_id, currency_code, is_all_reasons, first_failure_reason,
--       is_all_bands, ageing_band
--   not null required_columns: is_all_businesses, open_invoice_count, open_amount, expected_amount,
--       expected_low_amount,
--       expected_high_amount
--   holds expected_is_in_its_range: expected_low_amount <= expected_amount and expected_amount <= expected_high_amount
--   holds range_is_within_what_is_open: expected_low_amount >= 0 and expected_high_amount <= open_amount
--   accepted: ageing_band in (0-30, 31-60, 61-90, 91+)
-- published
with

-- What an invoice adds: the variance of its own outcome, and the reach of its probability's interval. The curve errs
-- for all invoices alike, so the reaches add up; outcomes are independent, so their variances do.
parts as (
    select
        *,
        recovery_probability as probability,
        open_amount::double as weight,
        weight * weight * probability * (1 - probability) as outcome_variance,
        if(
            probability is null or watched_count is null,
            0,
            weight * (probability - wilson_low(probability, watched_count))
        ) as curve_reach_down,
        case
            when probability is null then weight
            when watched_count is null then 0
            else weight * (wilson_high(probability, watched_count) - probability)
        end as curve_reach_up,
    from model.expected_invoice_recoveries
),

sums as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        grouping(first_failure_reason) = 1 as is_all_reasons,
        first_failure_reason,
        grouping(ageing_band) = 1 as is_all_bands,
        ageing_band,
        count(*) as open_invoice_count,
        sum(open_amount) as open_amount,
        coalesce(sum(weight * probability), 0) as expected,
        coalesce(sum(outcome_variance), 0) as outcome_variance,
        sum(curve_reach_down) as curve_reach_down,
        sum(curve_reach_up) as curve_reach_up,
        count(*) filter (where is_pooled and probability is not null) as pooled_invoice_count,
        count(*) filter (where probability is null) as unknown_invoice_count,
        any_value(rules_version) as rules_version,
    from parts
    group by grouping sets (
        (currency_code),
        (currency_code, first_failure_reason),
        (currency_code, ageing_band),
        (business_id, currency_code)
    )
),

-- Floats end here: an expectation to the hundredth is exact enough, and the order of a sum must not show.
expected_recoveries as (
    select
        is_all_businesses,
        business_id,
        currency_code,
        is_all_reasons,
        first_failure_reason,
        is_all_bands,
        ageing_band,
        open_invoice_count,
        open_amount,
        least(round(expected, 2)::decimal(38, 4), open_amount) as expected_amount,
        greatest(
            least(
                round(
                    expected - sqrt(z95() * z95() * outcome_variance + curve_reach_down * curve_reach_down), 2
                )::decimal(38, 4),
                expected_amount
            ),
            0
        ) as expected_low_amount,
        greatest(
            least(
                round(
                    expected + sqrt(z95() * z95() * outcome_variance + curve_reach_up * curve_reach_up), 2
                )::decimal(38, 4),
                open_amount
            ),
            expected_amount
        ) as expected_high_amount,
        ratio(expected_amount, open_amount) as expected_ratio,
        pooled_invoice_count,
        unknown_invoice_count,
        rules_version,
    from sums
)

select * from expected_recoveries
