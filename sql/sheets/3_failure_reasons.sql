-- Why attempts failed: reasons of each business and currency in the running month and the twelve before it.
select
    reasons.period_code,
    businesses.business_name,
    reasons.currency_code,
    reasons.failure_reason,
    reasons.failed_attempt_count,
    reasons.failed_attempt_share_ratio,
    reasons.failed_amount,
    reasons.failed_amount_share_ratio,
    reasons.previous_failed_attempt_count,
    reasons.previous_failed_amount,
    reasons.business_id,
from period_failure_reasons as reasons
left join businesses on reasons.business_id = businesses.business_id
where
    reasons.period_kind = 'month'
    and not reasons.is_all_businesses
    and reasons.period_start_date > (
        select max(newest.period_start_date) - interval 13 month from period_failure_reasons as newest
        where newest.period_kind = 'month'
    )
order by
    reasons.period_start_date desc,
    businesses.business_name asc,
    reasons.business_id asc,
    reasons.currency_code asc,
    reasons.failed_attempt_count desc,
    reasons.failure_reason asc
