-- The cohorts of a currency add up to its failed invoices, by count and amount.
--
-- concerns
--   model.recovery_cohorts
with

invoices as (
    select
        currency_code,
        count(*) as invoice_count,
        coalesce(sum(invoice_amount), 0) as amount,
    from model.failed_invoice_recoveries
    group by currency_code
),

cohorts as (
    select
        currency_code,
        sum(failed_invoice_count) as invoice_count,
        sum(failed_amount) as amount,
    from model.recovery_cohorts
    group by currency_code
),

differing as (
    (
        select * from invoices
        except
        select * from cohorts
    )
    union all
    (
        select * from cohorts
        except
        select * from invoices
    )
)

select
    currency_code,
    invoice_count,
    amount,
from differing
