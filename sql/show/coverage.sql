-- How far the words of each chosen business's entries are understood, the least first.
select
    business_label(businesses.business_name, coverage.business_id) as business_name,
    coverage.entry_count,
    coverage.unexplained_entry_count,
    coverage.unexplained_entry_ratio,
    coverage.unexplained_paid_invoice_ratio,
    coverage.no_rate_because,
from wording_coverage as coverage
left join businesses on coverage.business_id = businesses.business_id
where is_chosen_business(coverage.business_id)
order by coverage.unexplained_entry_ratio desc, coverage.business_id asc
