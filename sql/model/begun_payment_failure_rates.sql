-- One row per business, currency and calendar month in which first payments began: how they ended. A direct debit that
-- begins on the 30th fails in the next month; here it counts in its own. So this table alone has maturity: a month's
-- rate is final once none of its payments is in flight.
--
-- columns
--   business_id                         Location that issued the invoices
--   currency_code                       Currency of every amount in the row; null where the API gave none
--   month_start_date                    First day of the month, in the reporting zone, in which the payments began:
--                                       with the first pending entry of the invoice, or with its first attempt
--   first_payment_count                 Invoices whose first payment began in the month
--   succeeded_first_payment_count       Those whose first attempt succeeded
--   failed_first_payment_count          Those whose first attempt failed
--   in_flight_first_payment_count       Those still in flight
--   lost_first_payment_count            Those without news for too long: no outcome is expected
--   closed_first_payment_count          Those paid or refunded without an outcome entry
--   first_payment_amount                Sum of the invoice amounts
--   failed_first_payment_amount         Sum of the invoice amounts over those that failed
--   in_flight_first_payment_amount      Sum of the invoice amounts over those in flight
--   first_attempt_failure_ratio         failed_first_payment_count / those with an outcome (succeeded or failed)
--   first_attempt_failure_low_ratio     Lower end of its 95 % interval (Wilson)
--   first_attempt_failure_high_ratio    Upper end of its 95 % interval
--   no_method_first_payment_count       Those that failed with reason no_payment_method
--   with_method_first_attempt_failure_ratio  first_attempt_failure_ratio without those
--   automatic_first_payment_count       Those with an outcome of invoices that are collected automatically
--   failed_automatic_first_payment_count  Those of them that failed
--   automatic_first_attempt_failure_ratio  failed_automatic_first_payment_count / automatic_first_payment_count
--   lowest_final_ratio                  What the ratio becomes if every payment in flight succeeds
--   highest_final_ratio                 What the ratio becomes if every payment in flight fails
--   is_mature                           True where the month is over and none of its payments is in flight
--   mature_until_date                   Last day whose outcomes are in, for this business and currency
--   rules_version                       Checksum of the rules that were applied
-- promises
--   unique: business_id, currency_code, month_start_date
--   not null required_columns: month_start_date, first_payment_count, failed_first_payment_count, is_mature
--   holds states_add_up: first_payment_count = succeeded_first_payment_count + failed_first_payment_count
--       + in_flight_first_payment_count + lost_first_payment_count + closed_first_payment_count
--   holds parts_are_no_more_than_the_whole: no_method_first_payment_count <= failed_first_payment_count
--       and failed_automatic_first_payment_count <= automatic_first_payment_count
--   holds a_mature_month_has_nothing_in_flight: not is_mature or in_flight_first_payment_count = 0
-- published
with

pending as (select * from model.pending_invoices),

first_attempts as (
    select * from model.payment_attempts
    where is_first_attempt
),

invoices as (select * from model.invoices),

maturity as (select * from model.outcome_maturity),

payments as (
    select
        first_attempts.business_id,
        first_attempts.currency_code,
        first_attempts.invoice_amount,
        first_attempts.outcome as state,
        first_attempts.failure_reason,
        first_attempts.is_automatic,
        local_date(least(first_attempts.attempted_at, pending.first_pending_at)) as begun_date,
    from first_attempts
    left join pending on first_attempts.invoice_id = pending.invoice_id
    union all by name
    select
        pending.business_id,
        pending.currency_code,
        invoices.total_amount as invoice_amount,
        pending.pending_state as state,
        local_date(pending.first_pending_at) as begun_date,
    from pending
    inner join invoices on pending.invoice_id = invoices.invoice_id
    anti join first_attempts on pending.invoice_id = first_attempts.invoice_id
),

sums as (
    select
        business_id,
        currency_code,
        date_trunc('month', begun_date)::date as month_start_date,
        count(*) as first_payment_count,
        count(*) filter (where state = 'succeeded') as succeeded_first_payment_count,
        count(*) filter (where state = 'failed') as failed_first_payment_count,
        count(*) filter (where state = 'in_flight') as in_flight_first_payment_count,
        count(*) filter (where state = 'lost') as lost_first_payment_count,
        count(*) filter (where state = 'closed') as closed_first_payment_count,
        count(*) filter (where failure_reason = 'no_payment_method') as no_method_first_payment_count,
        count(*) filter (where is_automatic) as automatic_first_payment_count,
        count(*) filter (where is_automatic and state = 'failed') as failed_automatic_first_payment_count,
        coalesce(sum(invoice_amount), 0) as first_payment_amount,
        coalesce(sum(invoice_amount) filter (where state = 'failed'), 0) as failed_first_payment_amount,
        coalesce(sum(invoice_amount) filter (where state = 'in_flight'), 0) as in_flight_first_payment_amount,
    from payments
    group by all
),

rates as (
    select
        *,
        succeeded_first_payment_count + failed_first_payment_count as outcome_count,
        ratio(failed_first_payment_count, outcome_count) as first_attempt_failure_ratio,
        ratio(
            failed_first_payment_count - no_method_first_payment_count, outcome_count - no_method_first_payment_count
        ) as with_method_first_attempt_failure_ratio,
        ratio(
            failed_automatic_first_payment_count, automatic_first_payment_count
        ) as automatic_first_attempt_failure_ratio,
        ratio(
            failed_first_payment_count, outcome_count + in_flight_first_payment_count
        ) as lowest_final_ratio,
        ratio(
            failed_first_payment_count + in_flight_first_payment_count,
            outcome_count + in_flight_first_payment_count
        ) as highest_final_ratio,
    from sums
),

begun_payment_failure_rates as (
    select
        rates.* exclude (outcome_count), -- noqa: RF02
        wilson_low(rates.first_attempt_failure_ratio, rates.outcome_count) as first_attempt_failure_low_ratio,
        wilson_high(rates.first_attempt_failure_ratio, rates.outcome_count) as first_attempt_failure_high_ratio,
        last_day(rates.month_start_date) <= maturity.mature_until_date as is_mature,
        maturity.mature_until_date,
        maturity.rules_version,
    from rates
    inner join maturity
        on
            rates.business_id is not distinct from maturity.business_id
            and rates.currency_code is not distinct from maturity.currency_code
)

select * from begun_payment_failure_rates
