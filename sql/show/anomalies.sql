-- The days with far more problem entries than usual for that weekday, largest deviation first.
select
    trends.day_date,
    trends.business_id,
    business_label(businesses.business_name, trends.business_id) as business_name,
    trends.currency_code,
    trends.kind,
    trends.problem_entry_count,
    trends.baseline_count,
    trends.robust_z_score,
from problem_entry_trends as trends
left join businesses on trends.business_id = businesses.business_id
where
    trends.is_anomaly
    and trends.day_date between getvariable('from') and getvariable('until')
    and is_chosen_business(trends.business_id)
    and is_chosen_currency(trends.currency_code)
    and is_chosen_kind(trends.kind)
order by trends.robust_z_score desc, trends.day_date desc, trends.business_id asc
limit getvariable('limit')
