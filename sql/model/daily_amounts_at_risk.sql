-- Is the money at risk growing? One row per scope (currency, or business and currency) and day, without gaps, from its
-- first failure to the end of the data: the amount of the invoices that had failed and were neither paid nor refunded
-- at the end of that day. At the end of the data it is what is open in `failed_invoice_recoveries`. An invoice that was
-- paid or refunded at an unknown time counts on no day.
--
-- columns
--   is_all_businesses        True in the rows that take all businesses of the currency together
--   business_id              Location that issued the invoices; null in the rows of all businesses
--   currency_code            Currency of every amount in the row; null where the API gave none
--   day_date                 Calendar day in the reporting zone; the last one may be incomplete
--   newly_failed_amount      Amount of the invoices whose first failure was on that day
--   resolved_amount          Amount of those recovered or refunded on that day
--   at_risk_amount           Amount that had failed and was open at the end of the day
--   at_risk_invoice_count    Number of those invoices
--   rules_version            Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope_and_day: is_all_businesses, business_id, currency_code, day_date
--   not null required_columns: is_all_businesses, day_date, newly_failed_amount, resolved_amount, at_risk_amount
--   holds nothing_is_negative: at_risk_amount >= 0 and at_risk_invoice_count >= 0
-- published
with

horizon as (select as_of_date from model.horizon),

followed as (
    select
        recoveries.business_id,
        recoveries.currency_code,
        -- What was paid or credited of an invoice that is still open has no day, so it counts on none.
        coalesce(if(recoveries.open_days is null, recoveries.invoice_amount, recoveries.open_amount), 0) as amount,
        recoveries.first_failed_date,
        case
            when recoveries.open_days is null
                then least(recoveries.first_failed_date + recoveries.resolved_days::integer, horizon.as_of_date)
        end as resolved_date,
        recoveries.rules_version,
    from model.failed_invoice_recoveries as recoveries
    cross join horizon
    where recoveries.open_days is not null or recoveries.resolved_days is not null
),

events as (
    select
        business_id,
        currency_code,
        first_failed_date as day_date,
        amount as newly_failed_amount,
        0 as resolved_amount,
        1 as invoice_change,
        rules_version,
    from followed
    union all
    select
        business_id,
        currency_code,
        resolved_date as day_date,
        0 as newly_failed_amount,
        amount as resolved_amount,
        -1 as invoice_change,
        rules_version,
    from followed
    where resolved_date is not null
),

event_days as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        day_date,
        sum(newly_failed_amount) as newly_failed_amount,
        sum(resolved_amount) as resolved_amount,
        sum(invoice_change) as invoice_change,
        any_value(rules_version) as rules_version,
    from events
    group by grouping sets ((business_id, currency_code, day_date), (currency_code, day_date))
),

scopes as (
    select
        is_all_businesses,
        business_id,
        currency_code,
        rules_version,
        min(day_date) as first_date,
    from event_days
    group by is_all_businesses, business_id, currency_code, rules_version
),

every_day as (
    select
        scopes.* exclude (first_date), -- noqa: RF02
        unnest(
            generate_series(scopes.first_date::timestamp, horizon.as_of_date::timestamp, interval 1 day)
        )::date as day_date,
    from scopes
    cross join horizon
),

daily_amounts_at_risk as (
    select
        every_day.is_all_businesses,
        every_day.business_id,
        every_day.currency_code,
        every_day.day_date,
        coalesce(event_days.newly_failed_amount, 0) as newly_failed_amount,
        coalesce(event_days.resolved_amount, 0) as resolved_amount,
        sum(
            coalesce(event_days.newly_failed_amount, 0) - coalesce(event_days.resolved_amount, 0)
        ) over until_now as at_risk_amount,
        (sum(coalesce(event_days.invoice_change, 0)) over until_now)::bigint as at_risk_invoice_count,
        every_day.rules_version,
    from every_day
    left join event_days
        on
            every_day.is_all_businesses = event_days.is_all_businesses
            and every_day.business_id is not distinct from event_days.business_id
            and every_day.currency_code is not distinct from event_days.currency_code
            and every_day.day_date = event_days.day_date
    window until_now as (
        partition by every_day.is_all_businesses, every_day.business_id, every_day.currency_code
        order by every_day.day_date
    )
)

select * from daily_amounts_at_risk
