-- What each column of the tables above means.
select
    table_name,
    column_name,
    description,
from data_dictionary
where
    table_name in (
        'findings', 'period_payment_failure_rates', 'period_failure_reasons', 'recovery_cohorts',
        'failed_invoice_recoveries', 'expected_invoice_recoveries', 'invoices', 'businesses'
    )
order by table_name, column_name
