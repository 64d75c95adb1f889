-- One row per business, currency and month of the first failure: how many of the invoices that failed were paid
-- later. The shares within some days count only invoices that have been observed that long, recovered or not, so a
-- young cohort looks neither worse nor better than it is.
--
-- columns
--   business_id                      Location that issued the invoices
--   currency_code                    Currency of every amount in the row; null where the API gave none
--   month_start_date                 First day of the month, in the reporting zone, of the first failed attempt
--   failed_invoice_count             Invoices with a failed attempt, the first one in this month
--   recovered_invoice_count          Those paid later, by any means
--   open_invoice_count               Those not paid
--   refunded_invoice_count           Those refunded
--   failed_amount                    Amount of all of them
--   recovered_amount                 Amount of those paid later
--   open_amount                      Amount of those not paid
--   refunded_amount                  Amount of those refunded
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
--   unique: business_id, currency_code, month_start_date
--   not null required_columns: month_start_date, failed_invoice_count, recovery_ratio
--   holds states_add_up_to_failed_invoices: failed_invoice_count = recovered_invoice_count + open_invoice_count +
--       refunded_invoice_count
--   holds amounts_add_up_to_failed_amount: failed_amount = recovered_amount + open_amount + refunded_amount
--   holds older_invoices_are_fewer: observed_28_day_count <= observed_1_day_count and observed_1_day_count <=
--       failed_invoice_count
--   holds: recovered_28_day_count <= recovered_invoice_count
-- published
with

recoveries as (select * from model.failed_invoice_recoveries),

sums as (
    select
        business_id,
        currency_code,
        month_start_date,
        count(*) as failed_invoice_count,
        count(*) filter (where recovery_state = 'recovered') as recovered_invoice_count,
        count(*) filter (where recovery_state = 'open') as open_invoice_count,
        count(*) filter (where recovery_state = 'refunded') as refunded_invoice_count,
        coalesce(sum(invoice_amount), 0) as failed_amount,
        coalesce(sum(invoice_amount) filter (where recovery_state = 'recovered'), 0) as recovered_amount,
        coalesce(sum(invoice_amount) filter (where recovery_state = 'open'), 0) as open_amount,
        coalesce(sum(invoice_amount) filter (where recovery_state = 'refunded'), 0) as refunded_amount,
        count(*) filter (where observed_days >= 1) as observed_1_day_count,
        count(*) filter (where observed_days >= 1 and days_to_recover <= 1) as recovered_1_day_count,
        sum(invoice_amount) filter (where observed_days >= 1) as observed_1_day_amount,
        sum(invoice_amount) filter (where observed_days >= 1 and days_to_recover <= 1) as recovered_1_day_amount,
        count(*) filter (where observed_days >= 3) as observed_3_day_count,
        count(*) filter (where observed_days >= 3 and days_to_recover <= 3) as recovered_3_day_count,
        sum(invoice_amount) filter (where observed_days >= 3) as observed_3_day_amount,
        sum(invoice_amount) filter (where observed_days >= 3 and days_to_recover <= 3) as recovered_3_day_amount,
        count(*) filter (where observed_days >= 7) as observed_7_day_count,
        count(*) filter (where observed_days >= 7 and days_to_recover <= 7) as recovered_7_day_count,
        sum(invoice_amount) filter (where observed_days >= 7) as observed_7_day_amount,
        sum(invoice_amount) filter (where observed_days >= 7 and days_to_recover <= 7) as recovered_7_day_amount,
        count(*) filter (where observed_days >= 14) as observed_14_day_count,
        count(*) filter (where observed_days >= 14 and days_to_recover <= 14) as recovered_14_day_count,
        sum(invoice_amount) filter (where observed_days >= 14) as observed_14_day_amount,
        sum(invoice_amount) filter (where observed_days >= 14 and days_to_recover <= 14) as recovered_14_day_amount,
        count(*) filter (where observed_days >= 28) as observed_28_day_count,
        count(*) filter (where observed_days >= 28 and days_to_recover <= 28) as recovered_28_day_count,
        sum(invoice_amount) filter (where observed_days >= 28) as observed_28_day_amount,
        sum(invoice_amount) filter (where observed_days >= 28 and days_to_recover <= 28) as recovered_28_day_amount,
        any_value(rules_version) as rules_version,
    from recoveries
    group by business_id, currency_code, month_start_date
),

recovery_cohorts as (
    select
        business_id,
        currency_code,
        month_start_date,
        failed_invoice_count,
        recovered_invoice_count,
        open_invoice_count,
        refunded_invoice_count,
        failed_amount,
        recovered_amount,
        open_amount,
        refunded_amount,
        ratio(recovered_invoice_count, failed_invoice_count) as recovery_ratio,
        ratio(recovered_amount, failed_amount) as recovery_amount_ratio,
        observed_1_day_count,
        recovered_1_day_count,
        ratio(recovered_1_day_count, observed_1_day_count) as recovered_1_day_ratio,
        coalesce(observed_1_day_amount, 0) as observed_1_day_amount,
        coalesce(recovered_1_day_amount, 0) as recovered_1_day_amount,
        ratio(coalesce(recovered_1_day_amount, 0), observed_1_day_amount) as recovered_1_day_amount_ratio,
        observed_3_day_count,
        recovered_3_day_count,
        ratio(recovered_3_day_count, observed_3_day_count) as recovered_3_day_ratio,
        coalesce(observed_3_day_amount, 0) as observed_3_day_amount,
        coalesce(recovered_3_day_amount, 0) as recovered_3_day_amount,
        ratio(coalesce(recovered_3_day_amount, 0), observed_3_day_amount) as recovered_3_day_amount_ratio,
        observed_7_day_count,
        recovered_7_day_count,
        ratio(recovered_7_day_count, observed_7_day_count) as recovered_7_day_ratio,
        coalesce(observed_7_day_amount, 0) as observed_7_day_amount,
        coalesce(recovered_7_day_amount, 0) as recovered_7_day_amount,
        ratio(coalesce(recovered_7_day_amount, 0), observed_7_day_amount) as recovered_7_day_amount_ratio,
        observed_14_day_count,
        recovered_14_day_count,
        ratio(recovered_14_day_count, observed_14_day_count) as recovered_14_day_ratio,
        coalesce(observed_14_day_amount, 0) as observed_14_day_amount,
        coalesce(recovered_14_day_amount, 0) as recovered_14_day_amount,
        ratio(coalesce(recovered_14_day_amount, 0), observed_14_day_amount) as recovered_14_day_amount_ratio,
        observed_28_day_count,
        recovered_28_day_count,
        ratio(recovered_28_day_count, observed_28_day_count) as recovered_28_day_ratio,
        coalesce(observed_28_day_amount, 0) as observed_28_day_amount,
        coalesce(recovered_28_day_amount, 0) as recovered_28_day_amount,
        ratio(coalesce(recovered_28_day_amount, 0), observed_28_day_amount) as recovered_28_day_amount_ratio,
        rules_version,
    from sums
)

select * from recovery_cohorts
