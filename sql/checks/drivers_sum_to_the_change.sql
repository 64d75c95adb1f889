-- The parts that drive the change of a rate sum to the change that the period table tells.
--
-- concerns
--   model.rate_change_drivers
with

sums as (
    select
        period_code,
        currency_code,
        sum(driven_change_ratio) as driven_change_ratio,
    from model.rate_change_drivers
    group by period_code, currency_code
)

select
    rates.period_code,
    rates.currency_code,
    rates.first_attempt_failure_change_ratio,
    sums.driven_change_ratio,
from model.period_payment_failure_rates as rates
left join sums
    on
        rates.period_code = sums.period_code
        and rates.currency_code is not distinct from sums.currency_code
where
    rates.is_all_businesses
    and rates.first_attempt_failure_change_ratio is not null
    and not coalesce(abs(rates.first_attempt_failure_change_ratio - sums.driven_change_ratio) < 1e-9, false)
