-- One row per currency and month of the first failure: `recovery_cohorts` with all businesses taken together.
--
-- columns
--   currency_code                    Currency of every amount in the row; null where the API gave none
--   month_start_date                 First day of the month, in the reporting zone, of the first failed attempt
--   failed_invoice_count             Invoices with a failed attempt, the first one in this month
--   recovered_invoice_count          Those paid later, by any means
--   open_invoice_count               Those not paid
--   refunded_invoice_count           Those refunded
--   failed_amount                    Amount of all of them
--   recovered_amount                 Amount of those paid later
--   open_amount                      Amount of those not paid
--   recovery_ratio                   recovered_invoice_count / failed_invoice_count, so far
--   recovery_amount_ratio            recovered_amount / failed_amount, so far
--   observed_1_day_count             Invoices of the cohort observed for 1 whole day
--   recovered_1_day_count            Those of them recovered within 1 day
--   recovered_1_day_ratio            recovered_1_day_count / observed_1_day_count
--   observed_1_day_amount            Amount of the invoices observed for 1 whole day
--   recovered_1_day_amount           Amount of those of them recovered within 1 day
--   recovered_1_day_amount_ratio     recovered_1_day_amount / observed_1_day_amount
--   observed_3_day_count             Invoices of the cohort observed for 3 whole days
--   recovered_3_day_count            Those of them recovered within 3 days
--   recovered_3_day_ratio            recovered_3_day_count / observed_3_day_count
--   observed_3_day_amount            Amount of the invoices observed for 3 whole days
--   recovered_3_day_amount           Amount of those of them recovered within 3 days
--   recovered_3_day_amount_ratio     recovered_3_day_amount / observed_3_day_amount
--   observed_7_day_count             Invoices of the cohort observed for 7 whole days
--   recovered_7_day_count            Those of them recovered within 7 days
--   recovered_7_day_ratio            recovered_7_day_count / observed_7_day_count
--   observed_7_day_amount            Amount of the invoices observed for 7 whole days
--   recovered_7_day_amount           Amount of those of them recovered within 7 days
--   recovered_7_day_amount_ratio     recovered_7_day_amount / observed_7_day_amount
--   observed_14_day_count            Invoices of the cohort observed for 14 whole days
--   recovered_14_day_count           Those of them recovered within 14 days
--   recovered_14_day_ratio           recovered_14_day_count / observed_14_day_count
--   observed_14_day_amount           Amount of the invoices observed for 14 whole days
--   recovered_14_day_amount          Amount of those of them recovered within 14 days
--   recovered_14_day_amount_ratio    recovered_14_day_amount / observed_14_day_amount
--   observed_28_day_count            Invoices of the cohort observed for 28 whole days
--   recovered_28_day_count           Those of them recovered within 28 days
--   recovered_28_day_ratio           recovered_28_day_count / observed_28_day_count
--   observed_28_day_amount           Amount of the invoices observed for 28 whole days
--   recovered_28_day_amount          Amount of those of them recovered within 28 days
--   recovered_28_day_amount_ratio    recovered_28_day_amount / observed_28_day_amount
--   rules_version                    Checksum of the rules that were applied
-- promises
--   unique: currency_code, month_start_date
--   not null required_columns: month_start_date, failed_invoice_count, recovery_ratio
--   holds states_add_up_to_failed_invoices: failed_invoice_count = recovered_invoice_count + open_invoice_count +
--       refunded_invoice_count
-- published
with

cohorts as (select * from model.recovery_cohorts),

sums as (
    select
        currency_code,
        month_start_date,
        sum(failed_invoice_count)::bigint as failed_invoice_count,
        sum(recovered_invoice_count)::bigint as recovered_invoice_count,
        sum(open_invoice_count)::bigint as open_invoice_count,
        sum(refunded_invoice_count)::bigint as refunded_invoice_count,
        sum(failed_amount) as failed_amount,
        sum(recovered_amount) as recovered_amount,
        sum(open_amount) as open_amount,
        sum(observed_1_day_count)::bigint as observed_1_day_count,
        sum(recovered_1_day_count)::bigint as recovered_1_day_count,
        sum(observed_1_day_amount) as observed_1_day_amount,
        sum(recovered_1_day_amount) as recovered_1_day_amount,
        sum(observed_3_day_count)::bigint as observed_3_day_count,
        sum(recovered_3_day_count)::bigint as recovered_3_day_count,
        sum(observed_3_day_amount) as observed_3_day_amount,
        sum(recovered_3_day_amount) as recovered_3_day_amount,
        sum(observed_7_day_count)::bigint as observed_7_day_count,
        sum(recovered_7_day_count)::bigint as recovered_7_day_count,
        sum(observed_7_day_amount) as observed_7_day_amount,
        sum(recovered_7_day_amount) as recovered_7_day_amount,
        sum(observed_14_day_count)::bigint as observed_14_day_count,
        sum(recovered_14_day_count)::bigint as recovered_14_day_count,
        sum(observed_14_day_amount) as observed_14_day_amount,
        sum(recovered_14_day_amount) as recovered_14_day_amount,
        sum(observed_28_day_count)::bigint as observed_28_day_count,
        sum(recovered_28_day_count)::bigint as recovered_28_day_count,
        sum(observed_28_day_amount) as observed_28_day_amount,
        sum(recovered_28_day_amount) as recovered_28_day_amount,
        any_value(rules_version) as rules_version,
    from cohorts
    group by currency_code, month_start_date
),

currency_recovery_cohorts as (
    select
        currency_code,
        month_start_date,
        failed_invoice_count,
        recovered_invoice_count,
        open_invoice_count,
        refunded_invoice_count,
        failed_amount,
        recovered_amount,
        open_amount,
        ratio(recovered_invoice_count, failed_invoice_count) as recovery_ratio,
        ratio(recovered_amount, failed_amount) as recovery_amount_ratio,
        observed_1_day_count,
        recovered_1_day_count,
        ratio(recovered_1_day_count, observed_1_day_count) as recovered_1_day_ratio,
        observed_1_day_amount,
        recovered_1_day_amount,
        ratio(recovered_1_day_amount, observed_1_day_amount) as recovered_1_day_amount_ratio,
        observed_3_day_count,
        recovered_3_day_count,
        ratio(recovered_3_day_count, observed_3_day_count) as recovered_3_day_ratio,
        observed_3_day_amount,
        recovered_3_day_amount,
        ratio(recovered_3_day_amount, observed_3_day_amount) as recovered_3_day_amount_ratio,
        observed_7_day_count,
        recovered_7_day_count,
        ratio(recovered_7_day_count, observed_7_day_count) as recovered_7_day_ratio,
        observed_7_day_amount,
        recovered_7_day_amount,
        ratio(recovered_7_day_amount, observed_7_day_amount) as recovered_7_day_amount_ratio,
        observed_14_day_count,
        recovered_14_day_count,
        ratio(recovered_14_day_count, observed_14_day_count) as recovered_14_day_ratio,
        observed_14_day_amount,
        recovered_14_day_amount,
        ratio(recovered_14_day_amount, observed_14_day_amount) as recovered_14_day_amount_ratio,
        observed_28_day_count,
        recovered_28_day_count,
        ratio(recovered_28_day_count, observed_28_day_count) as recovered_28_day_ratio,
        observed_28_day_amount,
        recovered_28_day_amount,
        ratio(recovered_28_day_amount, observed_28_day_amount) as recovered_28_day_amount_ratio,
        rules_version,
    from sums
)

select * from currency_recovery_cohorts
order by currency_code, month_start_date
