-- The headline of the last thirteen months of each business and currency, oldest first, for a sparkline.
select
    business_id,
    currency_code,
    list(first_attempt_failure_ratio order by period_start_date) as trend,
from period_payment_failure_rates
where
    period_kind = 'month'
    and not is_all_businesses
    and period_start_date <= getvariable('until')
    and period_start_date > getvariable('until')::date - interval 13 month
    and first_attempt_failure_ratio is not null
    and is_chosen_currency(currency_code)
group by all
