-- What failed and is still open, by age: of all businesses together, or of each chosen one.
with

amounts as (
    select
        business_id,
        currency_code,
        ageing_band,
        count(*) as open_invoice_count,
        sum(open_amount) as open_amount,
        max(open_days) as oldest_open_days,
    from failed_invoice_recoveries
    where ageing_band is not null and is_chosen_currency(currency_code)
    group by currency_code, ageing_band, grouping sets ((), (business_id))
    having is_chosen_scope(grouping(business_id) = 1, business_id)
)

select
    amounts.*,
    businesses.business_name,
from amounts
left join businesses on amounts.business_id = businesses.business_id
order by amounts.currency_code nulls last, businesses.business_name, amounts.ageing_band
