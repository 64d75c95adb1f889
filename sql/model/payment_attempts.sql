-- One row per attempt to collect an invoice: a history entry whose kind is payment_succeeded or payment_failed. Pending
-- entries are no outcome, so no attempts. Attempts on draft and zero invoices, on none, and a second report of one
-- attempt, are left out and counted in `excluded_attempts`; attempts on refunded invoices stay, for a refund does not
-- undo them.
--
-- columns
--   entry_id            Id of the history entry that reports the attempt
--   invoice_id          Invoice to be collected
--   business_id         Location that issued it
--   currency_code       Currency of invoice_amount; null where the API gave none
--   attempted_at        When the entry was made
--   day_date            Calendar day of attempted_at in the reporting zone
--   month_start_date    First day of that month
--   attempt_number      1 for the invoice's first attempt, 2 for the next, by time and then by entry id
--   is_first_attempt    True for the invoice's first attempt
--   is_last_attempt     True for its newest attempt so far
--   outcome             succeeded or failed
--   failure_reason      Why it failed; null where it succeeded
--   decline_type        What kind of failure it is: try_again_later, customer_must_act, no_payment_method,
--                       provider_fault or unknown; null where it succeeded
--   next_step           What to do about it, in words; null where it succeeded
--   payment_method      card, direct_debit, other or unknown: a guess from the words
--   is_problem          The API's own flag on the entry
--   is_automatic        True where the invoice is collected automatically: some attempt on it was not entered by hand
--   invoice_amount      What was due of the invoice when the attempt was made, as far as is known: its total as it was
--                       first read with the entry, less what was known to be paid or credited before
--   rule_priority       Priority of the rule that decided
--   rule_name           Name of that rule
--   rules_version       Checksum of the rules that were applied
-- promises
--   unique: entry_id
--   unique: invoice_id, attempt_number
--   not null required_columns: entry_id, invoice_id, attempted_at, day_date, month_start_date, attempt_number,
--       outcome
--   accepted: outcome in (failed, succeeded)
--   holds failures_have_reasons: (outcome = 'failed') = (failure_reason is not null)
--   holds failures_have_next_steps: (outcome = 'failed') = (decline_type is not null and next_step is not null)
--   accepted: decline_type in (try_again_later, customer_must_act, no_payment_method, provider_fault, unknown)
--   accepted: payment_method in (card, direct_debit, other, unknown)
--   holds: is_first_attempt = (attempt_number = 1)
-- published
with

entries as (
    select entries.*
    from model.history_entries as entries
    left join model.repeated_reports as repeated on entries.entry_id = repeated.entry_id
    where
        entries.kind in ('payment_succeeded', 'payment_failed')
        and entries.excluded_because is null
        and repeated.entry_id is null
),

amounts as (select * from model.attempt_amounts),

rules as (select * from model.entry_rules),

numbered as (
    select
        *,
        row_number() over invoice_attempts as attempt_number,
        lead(entry_id) over invoice_attempts is null as is_last_attempt,
        bool_or(not is_manual_payment) over (partition by invoice_id) as is_automatic,
    from entries
    window invoice_attempts as (partition by invoice_id order by created_at, entry_id)
),

payment_attempts as (
    select
        numbered.entry_id,
        numbered.invoice_id,
        numbered.business_id,
        numbered.currency_code,
        numbered.created_at as attempted_at,
        numbered.day_date,
        numbered.month_start_date,
        numbered.attempt_number,
        numbered.attempt_number = 1 as is_first_attempt,
        numbered.is_last_attempt,
        case when numbered.kind = 'payment_failed' then 'failed' else 'succeeded' end as outcome,
        numbered.failure_reason,
        if(
            numbered.kind = 'payment_failed', coalesce(rules.decline_type, 'unknown'), null
        ) as decline_type,
        if(
            numbered.kind = 'payment_failed',
            coalesce(rules.next_step, 'Look the reason up at the payment provider.'),
            null
        ) as next_step,
        numbered.payment_method,
        numbered.is_problem,
        numbered.is_automatic,
        amounts.due_amount as invoice_amount,
        numbered.rule_priority,
        numbered.rule_name,
        numbered.rules_version,
    from numbered
    left join amounts on numbered.entry_id = amounts.entry_id
    left join rules on numbered.rule_priority = rules.priority
)

select * from payment_attempts
