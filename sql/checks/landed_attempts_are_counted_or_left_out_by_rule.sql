-- Every landed entry that is an attempt, live or deleted, is a row of payment_attempts or counted in
-- excluded_attempts.
--
-- concerns
--   model.excluded_attempts
with

landed as (
    select count(*) as landed_count
    from land.coworker_invoice_histories as entries
    inner join model.entry_texts as texts
        on
            entries.name is not distinct from texts.name
            and entries.description is not distinct from texts.description
            and coalesce(entries.is_problem, false) = texts.is_problem
    where texts.kind in ('payment_succeeded', 'payment_failed')
),

counted as (select count(*) as counted_count from model.payment_attempts),

left_out as (select coalesce(sum(excluded_attempt_count), 0) as left_out_count from model.excluded_attempts)

select
    landed.landed_count,
    counted.counted_count,
    left_out.left_out_count,
from landed
cross join counted
cross join left_out
where landed.landed_count <> counted.counted_count + left_out.left_out_count
