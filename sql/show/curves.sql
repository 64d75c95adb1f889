-- Which share of the invoices that failed is recovered by each day since, of all months and reasons: of all businesses
-- together, or of each chosen one.
select
    business_id,
    currency_code,
    days_since_failure,
    at_risk_count,
    recovered_ratio,
    recovered_low_ratio,
    recovered_high_ratio,
from recovery_curves
where
    cohort_kind = 'all'
    and recovered_ratio is not null
    and is_chosen_scope(is_all_businesses, business_id)
    and is_chosen_currency(currency_code)
order by currency_code asc nulls last, business_id asc, days_since_failure asc
