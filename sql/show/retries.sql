-- Does retrying work, and when: retries by the number of the attempt and by the days since the failure before, of all
-- businesses together, or of each chosen one.
select
    outcomes.business_id,
    outcomes.currency_code,
    outcomes.attempt_band,
    outcomes.days_band,
    outcomes.retry_count,
    outcomes.succeeded_retry_count,
    outcomes.success_ratio,
    outcomes.success_low_ratio as low_ratio,
    outcomes.success_high_ratio as high_ratio,
    businesses.business_name,
from retry_outcomes as outcomes
left join businesses on outcomes.business_id = businesses.business_id
where
    outcomes.is_all_reasons
    and outcomes.is_all_attempts <> outcomes.is_all_waits
    and is_chosen_scope(outcomes.is_all_businesses, outcomes.business_id)
    and is_chosen_currency(outcomes.currency_code)
order by
    outcomes.currency_code asc nulls last,
    outcomes.business_id asc,
    outcomes.attempt_band asc nulls last,
    try_cast(regexp_extract(outcomes.days_band, '^\d+') as integer) asc
