-- One row per scope and day since the first failure: which share of the invoices that failed is recovered by then. A
-- scope is a currency, or a business and currency; of all months or of one month of first failure; of all reasons or
-- (for a currency) of one. Invoices that are too young to tell count as long as they were observed, and refunds
-- compete: the estimate of O. O. Aalen and S. Johansen (Scandinavian Journal of Statistics 5, 1978), which never falls.
-- Its variance is that of G. E. Dinse and M. G. Larson (Biometrika 73, 1986).
--
-- columns
--   is_all_businesses         True in the rows that take all businesses of the currency together
--   business_id               Location that issued the invoices; null in the rows of all businesses
--   currency_code             Currency of the invoices; null where the API gave none
--   is_all_months             True in the rows that take all months of first failure together
--   month_start_date          First day of the month of first failure; null in the rows of all months
--   is_all_reasons            True in the rows that take all reasons together
--   first_failure_reason      Why the first attempt failed; null in the rows of all reasons
--   days_since_failure        Whole calendar days since the first failed attempt: 0 to 90; of one month 0 to 28
--   at_risk_count             Invoices observed on that day, before which nothing of this happened to them
--   recovered_count           Those recovered on that day
--   competing_count           Those refunded, credited or voided on that day
--   recovered_ratio           Share recovered by that day; null where no invoice is old enough to tell
--   recovered_low_ratio       Lower end of its 95 % interval (Wilson, effective sample size)
--   recovered_high_ratio      Upper end of its 95 % interval
--   unresolved_ratio          Share neither recovered nor refunded, credited or voided by that day
--   recovered_amount_ratio    recovered_ratio by the amounts of the invoices
--   rules_version             Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope_and_day: is_all_businesses, business_id, currency_code, is_all_months, month_start_date,
--       is_all_reasons, first_failure_reason, days_since_failure
--   not null required_columns: is_all_businesses, is_all_months, is_all_reasons, days_since_failure, at_risk_count
--   holds share_is_in_its_interval: recovered_ratio between recovered_low_ratio and recovered_high_ratio
--   holds shares_are_at_most_1: recovered_ratio + unresolved_ratio <= 1.0000001
-- published
with

horizon as (select * from model.horizon),

-- An event is known once its day is over. An invoice that was paid before it failed was never at risk; of one that is
-- paid at an unknown time nothing can be told.
followed as (
    select
        recoveries.business_id,
        recoveries.currency_code,
        recoveries.month_start_date,
        recoveries.first_failure_reason,
        recoveries.rules_version,
        coalesce(recoveries.invoice_amount, 0)::double as amount,
        recoveries.resolved_days is not null
        and recoveries.resolved_days <= horizon.last_complete_date - recoveries.first_failed_date as is_resolved,
        recoveries.recovery_state = 'recovered' as is_recovered,
        least(
            coalesce(recoveries.resolved_days, 91), horizon.last_complete_date - recoveries.first_failed_date, 91
        ) as days_since_failure,
    from model.failed_invoice_recoveries as recoveries
    cross join horizon
    where
        recoveries.recovery_state <> 'paid_before'
        and not (
            recoveries.recovery_state not in ('open', 'partly_recovered') and recoveries.resolved_days is null
        )
        and recoveries.first_failed_date <= horizon.last_complete_date
),

leaving as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        grouping(month_start_date) = 1 as is_all_months,
        month_start_date,
        grouping(first_failure_reason) = 1 as is_all_reasons,
        first_failure_reason,
        days_since_failure,
        count(*) as leaving_count,
        count(*) filter (where is_resolved and is_recovered) as recovered_count,
        count(*) filter (where is_resolved and not is_recovered) as competing_count,
        sum(amount) as leaving_amount,
        coalesce(sum(amount) filter (where is_resolved and is_recovered), 0) as recovered_amount,
        coalesce(sum(amount) filter (where is_resolved and not is_recovered), 0) as competing_amount,
        any_value(rules_version) as rules_version,
    from followed
    group by grouping sets (
        (currency_code, days_since_failure),
        (currency_code, month_start_date, days_since_failure),
        (currency_code, first_failure_reason, days_since_failure),
        (business_id, currency_code, days_since_failure),
        (business_id, currency_code, month_start_date, days_since_failure)
    )
),

scopes as (
    select distinct
        is_all_businesses,
        business_id,
        currency_code,
        is_all_months,
        month_start_date,
        is_all_reasons,
        first_failure_reason,
        rules_version,
    from leaving
),

every_day as (
    select * from leaving
    union all by name
    select
        *,
        unnest(range(if(is_all_months, 92, 30))) as days_since_failure,
    from scopes
),

days as (
    select
        * exclude (leaving_count, recovered_count, competing_count, leaving_amount, recovered_amount, competing_amount),
        coalesce(sum(leaving_count), 0)::bigint as leaving_count,
        coalesce(sum(recovered_count), 0)::bigint as recovered_count,
        coalesce(sum(competing_count), 0)::bigint as competing_count,
        coalesce(sum(leaving_amount), 0) as leaving_amount,
        coalesce(sum(recovered_amount), 0) as recovered_amount,
        coalesce(sum(competing_amount), 0) as competing_amount,
    from every_day
    group by all
),

at_risk as (
    select
        *,
        sum(leaving_count) over later as at_risk_count,
        sum(leaving_amount) over later as at_risk_amount,
    from days
    window later as (
        partition by
            is_all_businesses, business_id, currency_code, is_all_months, month_start_date, is_all_reasons,
            first_failure_reason
        order by days_since_failure rows between current row and unbounded following
    )
),

-- What one day adds, given who is still there.
hazards as (
    select
        *,
        recovered_count / nullif(at_risk_count, 0) as recovery,
        (recovered_count + competing_count) / nullif(at_risk_count, 0) as resolution,
        recovered_amount / nullif(at_risk_amount, 0) as amount_recovery,
        (recovered_amount + competing_amount) / nullif(at_risk_amount, 0) as amount_resolution,
    from at_risk
),

unresolved as (
    select
        *,
        coalesce(product(1 - coalesce(resolution, 0)) over earlier, 1) as unresolved_before,
        coalesce(product(greatest(1 - coalesce(amount_resolution, 0), 0)) over earlier, 1) as amount_before,
        coalesce(product(1 - coalesce(resolution, 0)) over earlier, 1)
        * (1 - coalesce(resolution, 0)) as unresolved_ratio,
    from hazards
    window earlier as (
        partition by
            is_all_businesses, business_id, currency_code, is_all_months, month_start_date, is_all_reasons,
            first_failure_reason
        order by days_since_failure rows between unbounded preceding and 1 preceding
    )
),

shares as (
    select
        *,
        sum(unresolved_before * coalesce(recovery, 0)) over until_now as so_far,
        sum(amount_before * coalesce(amount_recovery, 0)) over until_now as amount_so_far,
        coalesce(
            resolution / nullif(at_risk_count - recovered_count - competing_count, 0), 0
        ) as part_a,
        coalesce(
            unresolved_before * unresolved_before * recovery * (1 - recovery) / nullif(at_risk_count, 0), 0
        ) as part_b,
        coalesce(unresolved_before * recovery / nullif(at_risk_count, 0), 0) as part_c,
    from unresolved
    window until_now as (
        partition by
            is_all_businesses, business_id, currency_code, is_all_months, month_start_date, is_all_reasons,
            first_failure_reason
        order by days_since_failure rows between unbounded preceding and current row
    )
),

variances as (
    select
        *,
        so_far * so_far * sum(part_a) over until_now - 2 * so_far * sum(so_far * part_a) over until_now
        + sum(so_far * so_far * part_a) over until_now + sum(part_b) over until_now
        - 2 * so_far * sum(part_c) over until_now + 2 * sum(so_far * part_c) over until_now as variance,
        first_value(at_risk_count) over until_now as scope_count,
    from shares
    window until_now as (
        partition by
            is_all_businesses, business_id, currency_code, is_all_months, month_start_date, is_all_reasons,
            first_failure_reason
        order by days_since_failure rows between unbounded preceding and current row
    )
),

recovery_curves as (
    select
        is_all_businesses,
        business_id,
        currency_code,
        is_all_months,
        month_start_date,
        is_all_reasons,
        first_failure_reason,
        days_since_failure::integer as days_since_failure,
        at_risk_count::bigint as at_risk_count,
        recovered_count,
        competing_count,
        -- Sums of floats differ in the last digits, by their order: a share that stays must not seem to fall.
        case
            when at_risk_count > 0 or unresolved_before < 1e-9 then round(least(so_far, 1), 12)
        end as recovered_ratio,
        -- At most as many independent invoices as there are; at 0 and 1, those still there.
        case
            when so_far < 1e-9 or so_far > 1 - 1e-9 then greatest(at_risk_count, 1)
            else round(greatest(least(so_far * (1 - so_far) / nullif(greatest(variance, 0), 0), scope_count), 1), 3)
        end as effective_count,
        case when recovered_ratio is not null then round(unresolved_ratio, 12) end as unresolved_ratio,
        case when recovered_ratio is not null then round(least(amount_so_far, 1), 12) end as recovered_amount_ratio,
        rules_version,
    from variances
    where days_since_failure <= if(is_all_months, 90, 28)
)

select
    * exclude (effective_count),
    round(greatest(least(wilson_low(recovered_ratio, effective_count), recovered_ratio), 0), 12) as recovered_low_ratio,
    round(
        least(greatest(wilson_high(recovered_ratio, effective_count), recovered_ratio), 1), 12
    ) as recovered_high_ratio,
from recovery_curves
