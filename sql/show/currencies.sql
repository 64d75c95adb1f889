-- The currencies that figures are published in; null is one of its own.
select distinct currency_code
from monthly_payment_failure_rates
order by currency_code nulls last
