-- What explains the change of the headline against the period before, the largest part first.
select
    business_label(businesses.business_name, drivers.business_id) as business_name,
    drivers.currency_code,
    if(drivers.driver_kind = 'mix', 'mix', replace(drivers.failure_reason, '_', ' ')) as driver,
    drivers.driven_change_ratio,
    drivers.failed_count,
    drivers.previous_failed_count,
from rate_change_drivers as drivers
left join businesses on drivers.business_id = businesses.business_id
where
    drivers.period_code = getvariable('period')
    and is_chosen_business(drivers.business_id)
    and is_chosen_currency(drivers.currency_code)
order by abs(drivers.driven_change_ratio) desc, drivers.business_id asc, driver asc
limit getvariable('limit')
