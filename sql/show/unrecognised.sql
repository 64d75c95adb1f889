-- Problem entries that no rule knows, most frequent first.
select
    frequency_rank,
    name,
    description_pattern,
    entry_count,
    invoice_count,
    last_entry_at,
    example_entry_id,
from unrecognised_problem_entries
order by frequency_rank
limit getvariable('limit')
