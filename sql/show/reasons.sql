-- Why attempts failed in a period: of all businesses together, or of each chosen one.
select
    reasons.business_id,
    reasons.currency_code,
    reasons.failure_reason,
    reasons.failed_attempt_count,
    reasons.unflagged_failed_attempt_count,
    reasons.failed_amount,
    reasons.failed_attempt_share_ratio,
    reasons.failed_amount_share_ratio,
    reasons.previous_failed_attempt_count,
    businesses.business_name,
from period_failure_reasons as reasons
left join businesses on reasons.business_id = businesses.business_id
where
    reasons.period_code = getvariable('period')
    and is_chosen_scope(reasons.is_all_businesses, reasons.business_id)
    and is_chosen_currency(reasons.currency_code)
order by
    reasons.currency_code asc nulls last,
    businesses.business_name asc,
    reasons.failed_attempt_count desc,
    reasons.failure_reason asc
