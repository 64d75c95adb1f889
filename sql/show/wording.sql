-- The chosen businesses whose words are not understood, so that they have no rates; the largest first.
select
    coverage.*, -- noqa: AM04
    business_label(businesses.business_name, coverage.business_id) as business_name,
from wording_coverage as coverage
left join businesses on coverage.business_id = businesses.business_id
where coverage.no_rate_because is not null and is_chosen_business(coverage.business_id)
order by coverage.entry_count desc, coverage.business_id asc
