-- Cohorts of invoices by the month of their first failure, of all businesses together, newest first.
select
    null::bigint as business_id,
    null::varchar as business_name,
    *, -- noqa: AM04
from currency_recovery_cohorts
where
    month_start_date <= getvariable('until')
    and month_start_date > getvariable('until')::date - interval 12 month
    and is_chosen_currency(currency_code)
order by currency_code asc nulls last, month_start_date desc
