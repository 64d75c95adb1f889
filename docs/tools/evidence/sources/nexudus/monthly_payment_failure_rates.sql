select
    business_id,
    currency_code,
    month_start_date,
    first_attempt_count,
    failed_first_attempt_count,
    first_attempt_failure_ratio
from monthly_payment_failure_rates
