-- An example of a model on the figures: failure rates of first attempts by currency and month, of all businesses.
select
    month_start_date,
    currency_code,
    sum(first_attempt_count) as first_attempt_count,
    sum(failed_first_attempt_count) as failed_first_attempt_count,
    sum(failed_first_attempt_count) / nullif(sum(first_attempt_count), 0) as first_attempt_failure_ratio
from {{ source('nexudus', 'monthly_payment_failure_rates') }}
group by month_start_date, currency_code
