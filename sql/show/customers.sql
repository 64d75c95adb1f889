-- The customers who fail again and again or owe something, most at risk first. Names only where they are published.
with

names as (
    select
        coworker_id,
        arg_max(coworker_full_name, as_of_at) as customer_name,
        list(distinct business_id) as business_ids,
    from invoices
    group by coworker_id
)

select
    customers.coworker_id,
    names.customer_name,
    customers.currency_code,
    customers.open_invoice_count,
    customers.open_amount,
    customers.failed_invoice_90_day_count,
    customers.failed_attempt_90_day_count,
    customers.attempt_90_day_count,
    customers.collected_invoice_count,
    customers.last_attempt_date,
    customers.is_repeat_offender,
    customers.is_new,
    customers.has_ever_been_collected,
from customers
left join names on customers.coworker_id = names.coworker_id
where
    (customers.is_repeat_offender or customers.open_invoice_count > 0)
    and customers.coworker_id is not null
    and is_chosen_currency(customers.currency_code)
    and (
        len(getvariable('businesses')::bigint[]) = 0
        or list_has_any(names.business_ids, getvariable('businesses')::bigint[])
    )
order by
    customers.open_amount desc,
    customers.failed_invoice_90_day_count desc,
    customers.coworker_id asc
limit getvariable('limit')
