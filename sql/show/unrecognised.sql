-- Entries whose words no rule explains, most frequent first.
select
    frequency_rank,
    name,
    description_pattern,
    is_problem,
    entry_count,
    invoice_count,
    last_entry_at,
    example_entry_id,
from unrecognised_entries
order by frequency_rank
limit getvariable('limit')
