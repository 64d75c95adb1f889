-- One row per cohort and day since the first failure: which share of the cohort's invoices is recovered by then. A
-- cohort is all failed invoices of a currency, or of a business and currency; or of these the ones of one month of
-- first failure, one reason, one decline type or one payment route. Invoices that are too young to tell count as long
-- as they were observed, and refunds compete: the estimate of O. O. Aalen and S. Johansen (Scandinavian Journal of
-- Statistics 5, 1978), which never falls. Its variance is that of G. E. Dinse and M. G. Larson (Biometrika 73, 1986).
-- Small cohorts are pooled: with fewer than 20 invoices the figures to quote (`pooled_…`) are those of the nearest
-- wider cohort that has 20. Of a month that is all months; of a business's reason, type or route, the same one of the
-- currency; then all of the currency, whatever its size.
--
-- columns
--   is_all_businesses         True in the rows that take all businesses of the currency together
--   business_id               Location that issued the invoices; null in the rows of all businesses
--   currency_code             Currency of the invoices; null where the API gave none
--   cohort_kind               all, month, reason, decline_type or route
--   month_start_date          First day of the month of first failure; null but for the kind month
--   first_failure_reason      Why the first attempt failed; null but for the kind reason
--   first_decline_type        What kind of failure that was; null but for the kind decline_type
--   payment_route             How the invoice is paid (direct_debit, card, manual or unknown, as in `invoices`); null
--                             but for the kind route
--   days_since_failure        Whole calendar days since the first failed attempt: 0 to 90; of a month, and of a
--                             business's reason, type or route, 0 to 28
--   invoice_count             Invoices of the cohort that are followed
--   at_risk_count             Those observed on that day, before which nothing of this happened to them
--   recovered_count           Those recovered on that day
--   competing_count           Those refunded, credited or voided on that day
--   recovered_ratio           Share recovered by that day; null where no invoice is old enough to tell
--   recovered_low_ratio       Lower end of its 95 % interval (Wilson, effective sample size)
--   recovered_high_ratio      Upper end of its 95 % interval
--   unresolved_ratio          Share neither recovered nor refunded, credited or voided by that day
--   recovered_amount_ratio    recovered_ratio by the amounts of the invoices
--   is_small_sample           True under 20 invoices: quote the pooled share
--   pooled_from               business (all its invoices), currency_cohort (the same reason, type or route of the whole
--                             currency) or currency (all its invoices): whose curve stands in; null where none has to
--   pooled_ratio              The share to quote: recovered_ratio, or that of the wider cohort on that day
--   pooled_low_ratio          Lower end of its 95 % interval
--   pooled_high_ratio         Upper end of its 95 % interval
--   rules_version             Checksum of the rules that were applied
-- promises
--   unique one_row_per_cohort_and_day: is_all_businesses, business_id, currency_code, cohort_kind, month_start_date,
--       first_failure_reason, first_decline_type, payment_route, days_since_failure
--   not null required_columns: is_all_businesses, cohort_kind, days_since_failure, at_risk_count, is_small_sample
--   accepted: cohort_kind in (all, month, reason, decline_type, route)
--   accepted: pooled_from in (business, currency_cohort, currency)
--   holds share_is_in_its_interval: recovered_ratio between recovered_low_ratio and recovered_high_ratio
--       and pooled_ratio between pooled_low_ratio and pooled_high_ratio
--   holds shares_are_at_most_1: recovered_ratio + unresolved_ratio <= 1.0000001
--   holds only_small_cohorts_are_pooled: pooled_from is null or is_small_sample
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
        recoveries.first_decline_type,
        recoveries.payment_route,
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
        case
            when grouping(month_start_date) = 0 then 'month'
            when grouping(first_failure_reason) = 0 then 'reason'
            when grouping(first_decline_type) = 0 then 'decline_type'
            when grouping(payment_route) = 0 then 'route'
            else 'all'
        end as cohort_kind,
        month_start_date,
        first_failure_reason,
        first_decline_type,
        payment_route,
        coalesce(first_failure_reason, first_decline_type, payment_route, '') as cohort_name,
        dense_rank() over (
            order by is_all_businesses, business_id, currency_code, cohort_kind, month_start_date, cohort_name
        ) as cohort_id,
        days_since_failure,
        count(*) as leaving_count,
        count(*) filter (where is_resolved and is_recovered) as recovered_count,
        count(*) filter (where is_resolved and not is_recovered) as competing_count,
        sum(amount) as leaving_amount,
        coalesce(sum(amount) filter (where is_resolved and is_recovered), 0) as recovered_amount,
        coalesce(sum(amount) filter (where is_resolved and not is_recovered), 0) as competing_amount,
        any_value(rules_version) as rules_version,
    from followed
    group by
        currency_code, days_since_failure, grouping sets ((), (business_id)),
        grouping sets ((), (month_start_date), (first_failure_reason), (first_decline_type), (payment_route))
),

cohorts as (
    select
        cohort_id,
        is_all_businesses,
        business_id,
        currency_code,
        cohort_kind,
        month_start_date,
        first_failure_reason,
        first_decline_type,
        payment_route,
        cohort_name,
        sum(leaving_count)::bigint as invoice_count,
        if(cohort_kind = 'all' or (is_all_businesses and cohort_kind <> 'month'), 90, 28) as last_day,
        any_value(rules_version) as rules_version,
    from leaving
    group by all
),

pools as (
    select
        own.cohort_id,
        case
            when own.invoice_count >= 20 then own.cohort_id
            when nearest.invoice_count >= 20 then nearest.cohort_id
            else widest.cohort_id
        end as pooled_cohort_id,
        case
            when pooled_cohort_id = own.cohort_id then null
            when pooled_cohort_id = widest.cohort_id then 'currency'
            when nearest.is_all_businesses then 'currency_cohort'
            else 'business'
        end as pooled_from,
    from cohorts as own
    inner join cohorts as nearest
        on
            own.currency_code is not distinct from nearest.currency_code
            and if(own.cohort_kind = 'month', 'all', own.cohort_kind) = nearest.cohort_kind
            and own.cohort_name = nearest.cohort_name
            and (own.is_all_businesses or own.cohort_kind not in ('all', 'month')) = nearest.is_all_businesses
            and (nearest.is_all_businesses or own.business_id is not distinct from nearest.business_id)
    inner join cohorts as widest
        on
            own.currency_code is not distinct from widest.currency_code
            and widest.is_all_businesses
            and widest.cohort_kind = 'all'
),

every_day as (
    select * from leaving
    union all by name
    select
        cohort_id,
        unnest(range(last_day + 2)) as days_since_failure,
    from cohorts
),

days as (
    select
        cohort_id,
        days_since_failure::integer as days_since_failure,
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
        (sum(leaving_count) over later)::bigint as at_risk_count,
        sum(leaving_amount) over later as at_risk_amount,
    from days
    window later as (
        partition by cohort_id order by days_since_failure rows between current row and unbounded following
    )
),

-- What one day adds, given who is still there.
hazards as (
    select
        *,
        coalesce(recovered_count / nullif(at_risk_count, 0), 0) as recovery,
        coalesce((recovered_count + competing_count) / nullif(at_risk_count, 0), 0) as resolution,
        coalesce(recovered_amount / nullif(at_risk_amount, 0), 0) as amount_recovery,
        coalesce((recovered_amount + competing_amount) / nullif(at_risk_amount, 0), 0) as amount_resolution,
    from at_risk
),

unresolved as (
    select
        *,
        coalesce(product(1 - resolution) over earlier, 1) as unresolved_before,
        coalesce(product(greatest(1 - amount_resolution, 0)) over earlier, 1) as amount_before,
        unresolved_before * (1 - resolution) as unresolved_after,
    from hazards
    window earlier as (
        partition by cohort_id order by days_since_failure rows between unbounded preceding and 1 preceding
    )
),

shares as (
    select
        *,
        sum(unresolved_before * recovery) over until_now as so_far,
        sum(amount_before * amount_recovery) over until_now as amount_so_far,
        coalesce(
            resolution / nullif(at_risk_count - recovered_count - competing_count, 0), 0
        ) as part_a,
        coalesce(
            unresolved_before * unresolved_before * recovery * (1 - recovery) / nullif(at_risk_count, 0), 0
        ) as part_b,
        coalesce(unresolved_before * recovery / nullif(at_risk_count, 0), 0) as part_c,
    from unresolved
    window until_now as (partition by cohort_id order by days_since_failure)
),

variances as (
    select
        *,
        so_far * so_far * sum(part_a) over until_now - 2 * so_far * sum(so_far * part_a) over until_now
        + sum(so_far * so_far * part_a) over until_now + sum(part_b) over until_now
        - 2 * so_far * sum(part_c) over until_now + 2 * sum(so_far * part_c) over until_now as variance,
        first_value(at_risk_count) over until_now as cohort_count,
        -- The invoices still there stand for the share still there.
        min(if(at_risk_count > 0, at_risk_count / unresolved_before, null)) over until_now as represented_count,
    from shares
    window until_now as (partition by cohort_id order by days_since_failure)
),

sized as (
    select
        cohort_id,
        days_since_failure,
        at_risk_count,
        recovered_count,
        competing_count,
        -- Sums of floats differ in the last digits, by their order: a share that stays must not seem to fall.
        case
            when at_risk_count > 0 or unresolved_before < 1e-9 then round(least(so_far, 1), 12)
        end as recovered_ratio,
        -- At most as many independent invoices as there are; at 0 and 1 the variance says nothing.
        case
            when so_far < 1e-9 or so_far > 1 - 1e-9 then round(greatest(represented_count, 1), 3)
            else round(greatest(least(so_far * (1 - so_far) / nullif(greatest(variance, 0), 0), cohort_count), 1), 3)
        end as effective_count,
        if(recovered_ratio is null, null, round(unresolved_after, 12)) as unresolved_ratio,
        if(recovered_ratio is null, null, round(least(amount_so_far, 1), 12)) as recovered_amount_ratio,
    from variances
),

curves as (
    select
        * exclude (effective_count),
        round(
            greatest(least(wilson_low(recovered_ratio, effective_count), recovered_ratio), 0), 12
        ) as recovered_low_ratio,
        round(
            least(greatest(wilson_high(recovered_ratio, effective_count), recovered_ratio), 1), 12
        ) as recovered_high_ratio,
    from sized
),

-- Materialized, for joined by the day alone the curves of all cohorts would meet each other.
pooled_curves as materialized (
    select
        pools.cohort_id,
        pools.pooled_from,
        curves.days_since_failure,
        curves.recovered_ratio as pooled_ratio,
        curves.recovered_low_ratio as pooled_low_ratio,
        curves.recovered_high_ratio as pooled_high_ratio,
    from pools
    inner join curves on pools.pooled_cohort_id = curves.cohort_id
),

recovery_curves as (
    select
        cohorts.* exclude (cohort_id, cohort_name, last_day, rules_version), -- noqa: RF02
        curves.* exclude (cohort_id), -- noqa: RF02
        cohorts.invoice_count < 20 as is_small_sample,
        pooled_curves.pooled_from,
        pooled_curves.pooled_ratio,
        pooled_curves.pooled_low_ratio,
        pooled_curves.pooled_high_ratio,
        cohorts.rules_version,
    from cohorts
    inner join curves
        on cohorts.cohort_id = curves.cohort_id and cohorts.last_day >= curves.days_since_failure
    inner join pooled_curves
        on
            curves.cohort_id = pooled_curves.cohort_id
            and curves.days_since_failure = pooled_curves.days_since_failure
)

select * from recovery_curves
