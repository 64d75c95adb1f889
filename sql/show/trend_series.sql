-- The series of problem entries with most of them in a span of days, for small multiples.
with

chosen as (
    select * from problem_entry_trends
    where
        day_date between getvariable('from') and getvariable('until')
        and is_chosen_business(business_id)
        and is_chosen_currency(currency_code)
        and is_chosen_kind(kind)
)

select
    chosen.business_id,
    business_label(any_value(businesses.business_name), chosen.business_id) as business_name,
    chosen.currency_code,
    chosen.kind,
    count(*) over () as series_count,
from chosen
left join businesses on chosen.business_id = businesses.business_id
group by chosen.business_id, chosen.currency_code, chosen.kind
order by
    sum(chosen.problem_entry_count) desc,
    chosen.business_id asc,
    chosen.kind asc
limit getvariable('limit')
