-- The monthly rates count as many payments in flight as there are.
--
-- concerns
--   model.monthly_payment_failure_rates
with

payments as (
    select count(*) as in_flight_count
    from model.pending_invoices
    where pending_state = 'in_flight'
),

rates as (select coalesce(sum(pending_count), 0) as pending_count from model.monthly_payment_failure_rates)

select
    payments.in_flight_count,
    rates.pending_count,
from payments
cross join rates
where payments.in_flight_count <> rates.pending_count
