-- What failed and is still open, by age: of all businesses together, or of each chosen one.
select
    amounts.business_id,
    amounts.currency_code,
    amounts.ageing_band,
    amounts.open_invoice_count,
    amounts.open_amount,
    amounts.oldest_open_days,
    businesses.business_name,
from open_failed_amounts as amounts
left join businesses on amounts.business_id = businesses.business_id
where
    is_chosen_scope(amounts.is_all_businesses, amounts.business_id)
    and is_chosen_currency(amounts.currency_code)
order by amounts.currency_code nulls last, businesses.business_name, amounts.ageing_band
