-- Every table with an amount has the currency beside it, so that no sum crosses currencies unnoticed.
--
-- reads
--   model.invoices
--   model.payment_attempts
--   model.daily_payment_failure_rates
--   model.monthly_payment_failure_rates
--   model.failed_invoice_recoveries
-- concerns
--   model.recovery_cohorts
with

columns as (
    select
        table_name,
        column_name,
    from information_schema.columns
    where table_catalog = current_database() and table_schema = 'model'
),

amounts as (
    select * from columns
    where column_name like '%\_amount' escape '\'
),

currencies as (
    select table_name from columns
    where column_name = 'currency_code'
)

select
    amounts.table_name,
    amounts.column_name,
from amounts
anti join currencies on amounts.table_name = currencies.table_name
