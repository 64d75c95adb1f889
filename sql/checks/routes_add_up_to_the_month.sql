-- Payment routes, and once more payers, add up to the first attempts of the month, by count and amount.
--
-- concerns
--   model.route_failure_rates
with

sums as (
    select
        month_start_date,
        business_id,
        currency_code,
        route_kind,
        sum(first_attempt_count)::bigint as first_attempt_count,
        sum(failed_first_attempt_count)::bigint as failed_first_attempt_count,
        sum(first_attempt_amount) as first_attempt_amount,
        sum(failed_first_attempt_amount) as failed_first_attempt_amount,
    from model.route_failure_rates
    where not is_all_businesses
    group by month_start_date, business_id, currency_code, route_kind
),

months as (
    select
        month_start_date,
        business_id,
        currency_code,
        unnest(['payment_route', 'payer']) as route_kind,
        first_attempt_count,
        failed_first_attempt_count,
        first_attempt_amount,
        failed_first_attempt_amount,
    from model.monthly_payment_failure_rates
    where first_attempt_count > 0
),

differing as (
    (
        select * from sums
        except
        select * from months
    )
    union all
    (
        select * from months
        except
        select * from sums
    )
)

select
    month_start_date,
    business_id,
    currency_code,
    route_kind,
    first_attempt_count,
    failed_first_attempt_count,
    first_attempt_amount,
    failed_first_attempt_amount,
from differing
