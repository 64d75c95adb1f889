-- One row per invoice that failed and is open: how likely it is recovered by the 90th day after its first failure,
-- given how long it has been open and why it failed. Open for d days, that is (curve(90) - curve(d)) / unresolved(d) of
-- its reason in `recovery_curves`; where fewer than 20 invoices of the reason were watched that long, of the currency's
-- curve of all reasons. After 90 days nothing is expected. Not a promise: it holds if what is open goes the way of what
-- was.
--
-- columns
--   invoice_id             Invoice
--   business_id            Location that issued it
--   currency_code          Currency of the amounts; null where the API gave none
--   first_failure_reason   Why its first attempt failed
--   ageing_band            0-30, 31-60, 61-90 or 91+ days open
--   open_amount            What is due of it
--   recovery_probability   How likely it is recovered by the 90th day; null where no curve tells anything
--   expected_amount        open_amount x recovery_probability; null where that is
--   watched_count          Invoices that the probability rests on; null after 90 days and where there is no curve
--   is_pooled              True where its reason is too rare, so that the currency's curve stands in
--   rules_version          Checksum of the rules that were applied
-- promises
--   unique: invoice_id
--   not null required_columns: invoice_id, open_amount, is_pooled, ageing_band
--   holds a_probability_is_from_0_to_1: recovery_probability between 0 and 1
--   accepted: ageing_band in (0-30, 31-60, 61-90, 91+)
-- published
with

curves as (
    select
        currency_code,
        cohort_kind,
        first_failure_reason,
        days_since_failure,
        -- A quotient of floats: its last digit may lie above one.
        least(
            greatest((max(recovered_ratio) over whole_curve - recovered_ratio) / nullif(unresolved_ratio, 0), 0), 1
        ) as probability,
        lead(at_risk_count) over later as watched_count,
    from model.recovery_curves
    where is_all_businesses and cohort_kind in ('all', 'reason')
    window
        whole_curve as (partition by currency_code, cohort_kind, first_failure_reason),
        later as (partition by currency_code, cohort_kind, first_failure_reason order by days_since_failure)
),

reason_curves as (
    select * from curves
    where cohort_kind = 'reason' and watched_count >= 20
),

currency_curves as (
    select * from curves
    where cohort_kind = 'all' and watched_count > 0
),

expected_invoice_recoveries as (
    select
        recoveries.invoice_id,
        recoveries.business_id,
        recoveries.currency_code,
        recoveries.first_failure_reason,
        recoveries.ageing_band,
        recoveries.open_amount,
        if(
            recoveries.open_days >= 90, 0, coalesce(reason_curves.probability, currency_curves.probability)
        ) as recovery_probability,
        round(recoveries.open_amount::double * recovery_probability, 2)::decimal(18, 4) as expected_amount,
        coalesce(reason_curves.watched_count, currency_curves.watched_count) as watched_count,
        recoveries.open_days < 90 and reason_curves.probability is null as is_pooled,
        recoveries.rules_version,
    from model.failed_invoice_recoveries as recoveries
    left join reason_curves
        on
            recoveries.currency_code is not distinct from reason_curves.currency_code
            and recoveries.first_failure_reason = reason_curves.first_failure_reason
            and recoveries.open_days = reason_curves.days_since_failure
    left join currency_curves
        on
            recoveries.currency_code is not distinct from currency_curves.currency_code
            and recoveries.open_days = currency_curves.days_since_failure
    where recoveries.recovery_state in ('open', 'partly_recovered')
)

select * from expected_invoice_recoveries
