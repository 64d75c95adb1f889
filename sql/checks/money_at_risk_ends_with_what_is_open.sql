-- On the last day the money at risk is what is open of the failed invoices.
--
-- concerns
--   model.daily_amounts_at_risk
with

open_amounts as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        coalesce(sum(open_amount), 0) as open_amount,
        count(*) as open_invoice_count,
    from model.failed_invoice_recoveries
    where recovery_state in ('open', 'partly_recovered')
    group by currency_code, grouping sets ((), (business_id))
),

last_days as (
    select * from model.daily_amounts_at_risk
    qualify
        row_number() over (
            partition by is_all_businesses, business_id, currency_code
            order by day_date desc
        ) = 1
)

select
    last_days.business_id,
    last_days.currency_code,
    last_days.at_risk_amount,
    open_amounts.open_amount,
from last_days
left join open_amounts
    on
        last_days.is_all_businesses = open_amounts.is_all_businesses
        and last_days.business_id is not distinct from open_amounts.business_id
        and last_days.currency_code is not distinct from open_amounts.currency_code
where
    last_days.at_risk_amount <> coalesce(open_amounts.open_amount, 0)
    or last_days.at_risk_invoice_count <> coalesce(open_amounts.open_invoice_count, 0)
