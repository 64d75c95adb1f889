-- The incidents that touch a span of days, those that last first, then the newest.
select
    incidents.started_on_date,
    incidents.ended_on_date,
    incidents.is_open,
    incidents.business_id,
    incidents.currency_code,
    incidents.incident_kind,
    incidents.usual_ratio,
    incidents.observed_ratio,
    incidents.observed_count,
    incidents.watched_count,
    incidents.chance_probability,
    incidents.leading_failure_reason,
    incidents.leading_failure_reason_ratio,
    incidents.customer_count,
    incidents.open_amount,
    incidents.expected_amount,
    business_label(businesses.business_name, incidents.business_id) as business_name,
from incidents
left join businesses on incidents.business_id = businesses.business_id
where
    incidents.started_on_date <= getvariable('until')
    and coalesce(incidents.ended_on_date, getvariable('until')) >= getvariable('from')
    and is_chosen_business(incidents.business_id)
    and is_chosen_currency(incidents.currency_code)
order by
    incidents.is_open desc,
    incidents.started_on_date desc,
    incidents.business_id asc,
    incidents.incident_kind asc
limit getvariable('limit')
