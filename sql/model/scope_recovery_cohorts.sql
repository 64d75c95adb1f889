-- One row per scope (currency, or business and currency) and month of the first failure: what became of the invoices
-- that failed. The shares within some days are those of `recovery_curves`, which uses each invoice for as long as it
-- was observed: they never fall along a row, and are null for days that no invoice of the cohort has reached.
--
-- columns
--   is_all_businesses                True in the rows that take all businesses of the currency together
--   business_id                      Location that issued the invoices; null in the rows of all businesses
--   currency_code                    Currency of every amount in the row; null where the API gave none
--   month_start_date                 First day of the month, in the reporting zone, of the first failed attempt
--   failed_invoice_count             Invoices with a failed attempt, the first one in this month
--   recovered_invoice_count          Those paid after the first failure, by any means
--   paid_before_invoice_count        Those paid before it, and by no later attempt
--   partly_recovered_invoice_count   Those of which a part is paid
--   open_invoice_count               Those not paid
--   refunded_invoice_count           Those refunded
--   credited_invoice_count           Those credited, so that nothing is due
--   voided_invoice_count             Those voided
--   failed_amount                    Amount of all of them
--   recovered_amount                 Amount of those recovered, and what was paid of those partly recovered
--   paid_before_amount               Amount of those paid before they failed
--   open_amount                      What is due of those not paid and of those partly recovered
--   refunded_amount                  Amount of those refunded
--   credited_amount                  Amount of those credited, and what was credited of those still open
--   voided_amount                    Amount of those voided
--   recovery_ratio                   recovered_invoice_count / failed_invoice_count, so far
--   recovery_amount_ratio            recovered_amount / failed_amount, so far
--   median_days_to_recover           Median of days_to_recover over the recovered invoices
--   half_recovered_days              First day by which half of all failed invoices is recovered; null where not
--                                       within 28 days
--   recovered_1_day_ratio            Share recovered within 1 day (Aalen-Johansen)
--   recovered_1_day_low_ratio        Lower end of its 95 % interval
--   recovered_1_day_high_ratio       Upper end of its 95 % interval
--   recovered_1_day_amount_ratio     The same share by amount
--   recovered_1_day_count            Invoices recovered within 1 day so far
--   observed_1_day_count             Invoices observed for 1 whole day, resolved or not
--   recovered_3_day_ratio            Share recovered within 3 days (Aalen-Johansen)
--   recovered_3_day_low_ratio        Lower end of its 95 % interval
--   recovered_3_day_high_ratio       Upper end of its 95 % interval
--   recovered_3_day_amount_ratio     The same share by amount
--   recovered_3_day_count            Invoices recovered within 3 days so far
--   observed_3_day_count             Invoices observed for 3 whole days, resolved or not
--   recovered_7_day_ratio            Share recovered within 7 days (Aalen-Johansen)
--   recovered_7_day_low_ratio        Lower end of its 95 % interval
--   recovered_7_day_high_ratio       Upper end of its 95 % interval
--   recovered_7_day_amount_ratio     The same share by amount
--   recovered_7_day_count            Invoices recovered within 7 days so far
--   observed_7_day_count             Invoices observed for 7 whole days, resolved or not
--   recovered_14_day_ratio           Share recovered within 14 days (Aalen-Johansen)
--   recovered_14_day_low_ratio       Lower end of its 95 % interval
--   recovered_14_day_high_ratio      Upper end of its 95 % interval
--   recovered_14_day_amount_ratio    The same share by amount
--   recovered_14_day_count           Invoices recovered within 14 days so far
--   observed_14_day_count            Invoices observed for 14 whole days, resolved or not
--   recovered_28_day_ratio           Share recovered within 28 days (Aalen-Johansen)
--   recovered_28_day_low_ratio       Lower end of its 95 % interval
--   recovered_28_day_high_ratio      Upper end of its 95 % interval
--   recovered_28_day_amount_ratio    The same share by amount
--   recovered_28_day_count           Invoices recovered within 28 days so far
--   observed_28_day_count            Invoices observed for 28 whole days, resolved or not
--   is_small_sample                  True under 20 failed invoices: read the interval, or the curve of all months
--   rules_version                    Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope_and_month: is_all_businesses, business_id, currency_code, month_start_date
--   not null required_columns: is_all_businesses, month_start_date, failed_invoice_count, recovery_ratio,
--       is_small_sample
--   holds states_add_up_to_failed_invoices: failed_invoice_count = recovered_invoice_count + paid_before_invoice_count
--       + open_invoice_count + refunded_invoice_count + partly_recovered_invoice_count + credited_invoice_count
--       + voided_invoice_count
--   holds amounts_add_up_to_failed_amount: failed_amount = recovered_amount + paid_before_amount + open_amount
--       + refunded_amount + credited_amount + voided_amount
--   holds shares_never_fall: recovered_1_day_ratio <= recovered_3_day_ratio and recovered_3_day_ratio
--       <= recovered_7_day_ratio and recovered_7_day_ratio <= recovered_14_day_ratio
--       and recovered_14_day_ratio <= recovered_28_day_ratio
with

recoveries as (select * from model.failed_invoice_recoveries),

sums as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        month_start_date,
        count(*) as failed_invoice_count,
        count(*) filter (where recovery_state = 'recovered') as recovered_invoice_count,
        count(*) filter (where recovery_state = 'paid_before') as paid_before_invoice_count,
        count(*) filter (where recovery_state = 'partly_recovered') as partly_recovered_invoice_count,
        count(*) filter (where recovery_state = 'open') as open_invoice_count,
        count(*) filter (where recovery_state = 'refunded') as refunded_invoice_count,
        count(*) filter (where recovery_state = 'credited') as credited_invoice_count,
        count(*) filter (where recovery_state = 'voided') as voided_invoice_count,
        coalesce(sum(invoice_amount), 0) as failed_amount,
        coalesce(sum(recovered_amount), 0) as recovered_amount,
        coalesce(sum(invoice_amount) filter (where recovery_state = 'paid_before'), 0) as paid_before_amount,
        coalesce(sum(open_amount), 0) as open_amount,
        coalesce(sum(invoice_amount) filter (where recovery_state = 'refunded'), 0) as refunded_amount,
        coalesce(sum(credited_amount), 0) as credited_amount,
        coalesce(sum(invoice_amount) filter (where recovery_state = 'voided'), 0) as voided_amount,
        median(days_to_recover) as median_days_to_recover,
        count(*) filter (where days_to_recover <= 1) as recovered_1_day_count,
        count(*) filter (where observed_days >= 1) as observed_1_day_count,
        count(*) filter (where days_to_recover <= 3) as recovered_3_day_count,
        count(*) filter (where observed_days >= 3) as observed_3_day_count,
        count(*) filter (where days_to_recover <= 7) as recovered_7_day_count,
        count(*) filter (where observed_days >= 7) as observed_7_day_count,
        count(*) filter (where days_to_recover <= 14) as recovered_14_day_count,
        count(*) filter (where observed_days >= 14) as observed_14_day_count,
        count(*) filter (where days_to_recover <= 28) as recovered_28_day_count,
        count(*) filter (where observed_days >= 28) as observed_28_day_count,
        any_value(rules_version) as rules_version,
    from recoveries
    group by grouping sets ((business_id, currency_code, month_start_date), (currency_code, month_start_date))
),

shares as (
    select
        is_all_businesses,
        business_id,
        currency_code,
        month_start_date,
        min(days_since_failure) filter (where recovered_ratio >= 0.5)::bigint as half_recovered_days,
        max(recovered_ratio) filter (where days_since_failure = 1) as recovered_1_day_ratio,
        max(recovered_low_ratio) filter (where days_since_failure = 1) as recovered_1_day_low_ratio,
        max(recovered_high_ratio) filter (where days_since_failure = 1) as recovered_1_day_high_ratio,
        max(recovered_amount_ratio) filter (where days_since_failure = 1) as recovered_1_day_amount_ratio,
        max(recovered_ratio) filter (where days_since_failure = 3) as recovered_3_day_ratio,
        max(recovered_low_ratio) filter (where days_since_failure = 3) as recovered_3_day_low_ratio,
        max(recovered_high_ratio) filter (where days_since_failure = 3) as recovered_3_day_high_ratio,
        max(recovered_amount_ratio) filter (where days_since_failure = 3) as recovered_3_day_amount_ratio,
        max(recovered_ratio) filter (where days_since_failure = 7) as recovered_7_day_ratio,
        max(recovered_low_ratio) filter (where days_since_failure = 7) as recovered_7_day_low_ratio,
        max(recovered_high_ratio) filter (where days_since_failure = 7) as recovered_7_day_high_ratio,
        max(recovered_amount_ratio) filter (where days_since_failure = 7) as recovered_7_day_amount_ratio,
        max(recovered_ratio) filter (where days_since_failure = 14) as recovered_14_day_ratio,
        max(recovered_low_ratio) filter (where days_since_failure = 14) as recovered_14_day_low_ratio,
        max(recovered_high_ratio) filter (where days_since_failure = 14) as recovered_14_day_high_ratio,
        max(recovered_amount_ratio) filter (where days_since_failure = 14) as recovered_14_day_amount_ratio,
        max(recovered_ratio) filter (where days_since_failure = 28) as recovered_28_day_ratio,
        max(recovered_low_ratio) filter (where days_since_failure = 28) as recovered_28_day_low_ratio,
        max(recovered_high_ratio) filter (where days_since_failure = 28) as recovered_28_day_high_ratio,
        max(recovered_amount_ratio) filter (where days_since_failure = 28) as recovered_28_day_amount_ratio,
    from model.recovery_curves
    where cohort_kind = 'month'
    group by is_all_businesses, business_id, currency_code, month_start_date
),

scope_recovery_cohorts as (
    select
        sums.*,
        ratio(sums.recovered_invoice_count, sums.failed_invoice_count) as recovery_ratio,
        ratio(sums.recovered_amount, sums.failed_amount) as recovery_amount_ratio,
        sums.failed_invoice_count < 20 as is_small_sample,
        shares.* exclude (is_all_businesses, business_id, currency_code, month_start_date), -- noqa: RF02
    from sums
    left join shares
        on
            sums.is_all_businesses = shares.is_all_businesses
            and sums.business_id is not distinct from shares.business_id
            and sums.currency_code is not distinct from shares.currency_code
            and sums.month_start_date = shares.month_start_date
)

select * from scope_recovery_cohorts -- noqa: AM04
