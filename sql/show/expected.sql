-- What failed and is open now, and how much of it is expected to come in: of all businesses together, or of each chosen
-- one.
select
    business_id,
    currency_code,
    open_invoice_count,
    open_amount,
    expected_amount,
    expected_low_amount,
    expected_high_amount,
    expected_ratio,
from expected_recoveries
where
    is_all_reasons
    and is_all_bands
    and is_chosen_scope(is_all_businesses, business_id)
    and is_chosen_currency(currency_code)
order by open_amount desc, currency_code asc
