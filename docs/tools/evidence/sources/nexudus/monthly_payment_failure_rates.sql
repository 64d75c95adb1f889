select * from monthly_payment_failure_rates
