-- How many history entries a view has.
select count(*) as entry_count
from history_entries
where
    is_in_view(day_date, business_id, currency_code, invoice_id, kind, failure_reason, excluded_because)
    and has_chosen_words(name, description, invoice_id)
