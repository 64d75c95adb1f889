-- What stands out, most important first: the sentences with which the dashboard and the report begin.
select
    finding,
    business_name,
    currency_code,
    started_on_date,
    ended_on_date,
    usual_ratio,
    observed_ratio,
    leading_failure_reason,
    customer_count,
    open_invoice_count,
    open_amount,
    expected_amount,
    business_id,
from findings
order by finding_number
