-- The invoices with a failed attempt are the rows of failed_invoice_recoveries.
--
-- concerns
--   model.failed_invoice_recoveries
with

failed as (
    select distinct invoice_id from model.payment_attempts
    where outcome = 'failed'
),

followed_up as (select invoice_id from model.failed_invoice_recoveries)

select
    failed.invoice_id as failed_invoice_id,
    followed_up.invoice_id as followed_up_invoice_id,
from failed
full join followed_up on failed.invoice_id = followed_up.invoice_id
where failed.invoice_id is null or followed_up.invoice_id is null
