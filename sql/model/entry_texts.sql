-- One row per distinct text that landed entries carry (title, description and problem flag): what the rules make of it.
-- Entries repeat a few hundred wordings millions of times with other numbers and addresses, so each wording is judged
-- once. What is decided in which order, docs/figures.md says.
--
-- columns
--   name                    Title of the entry, as the API has it
--   description             Description, as the API has it
--   is_problem              The API's flag; a missing one counts as false
--   rule_priority           Priority of the rule that decides; of a failed payment's reason where it is known
--   outcome_rule_priority   Priority of the rule that decided the kind
--   kind                    What the entry is
--   failure_reason          Why a payment failed; null for every other kind
--   payment_method          How it was paid or to be paid, guessed from the words: card, direct_debit, other or unknown
--   is_manual               True where the text speaks of a payment made by hand: a transfer, cash, a cheque
--   is_understood           False where no rule explains the words, and the kind is only what remains
--   prefix_says             Outcome that the word before the text states: success, failure, pending or nothing
--   name_says               What the title states
--   text_says               What the text itself states, apart from what it merely mentions
--   masked_description      Description without numbers and e-mail addresses
--   may_name_someone        True where a word of the description is a word of anybody's name
-- promises
--   unique: name, description, is_problem
--   not null: is_problem, kind, is_understood, may_name_someone
--   holds: (kind = 'payment_failed') = (failure_reason is not null)
-- personal
--   name
--   description
--   masked_description
-- reads
--   land.reconciliations
with

entries as not materialized (select * from land.coworker_invoice_histories),

rules as (select * from model.entry_rules),

distinct_texts as (
    select distinct
        name,
        description,
        coalesce(is_problem, false) as is_problem,
    from entries
),

texts as materialized (
    select
        *,
        wording_of(coalesce(name, '')) as name_wording,
        wording_of(description) as wording,
    from distinct_texts
),

distinct_wordings as (
    select distinct
        name_wording,
        wording,
        is_problem,
    from texts
),

wordings as materialized (
    select
        *,
        plain_words(name_wording) as title,
        plain_words(coalesce(wording, '')) as words,
    from distinct_wordings
),

-- The first words that say an outcome and nothing else, and what comes after them.
first_labels as (
    select
        *,
        regexp_extract(words, '^ (?:[.:] )*((?:[^ .:]+ ){1,4})(?:[.:] (.*))?$', ['label', 'rest']) as first_label,
    from wordings
),

second_labels as (
    select
        *,
        regexp_extract(
            ' ' || first_label['rest'], '^ (?:[.:] )*((?:[^ .:]+ ){1,4})(?:[.:] (.*))?$', ['label', 'rest']
        ) as second_label,
        label_says(' ' || first_label['label']) as first_says,
    from first_labels
),

labelled as (
    select
        *,
        if(first_says is null, label_says(' ' || second_label['label']), null) as second_says,
        title_says(title) as title_states,
    from second_labels
),

bodies as (
    select
        *,
        coalesce(first_says, second_says) as label_states,
        case
            when first_says is not null then ' ' || first_label['rest']
            when second_says is not null then ' ' || second_label['rest']
            else words
        end as body,
    from labelled
),

statements as (
    select
        *,
        if(label_states in ('success', 'failure', 'pending'), label_states, 'nothing') as prefix_says,
        case
            when
                label_states not in ('success', 'failure', 'pending')
                and coalesce(title_states, 'payment') = 'payment'
                then label_states
            else coalesce(title_states, if(title = '  ', 'nothing', 'unknown'))
        end as name_says,
        without_condition(body) as stated,
    from bodies
),

affirmed_statements as (
    select
        *,
        without_negation(stated) as affirmed,
        without_not_yet(stated) as by_now,
        reason_priority(stated) as stated_reason,
    from statements
),

-- Where in the text each thing is said first. What has not succeeded yet is in flight.
positions as (
    select
        *,
        at_settlement(affirmed, stated) as settlement_at,
        at_chargeback(affirmed, stated) as chargeback_at,
        at_refund(stated, stated) as refund_at,
        at_mandate(affirmed, stated) as mandate_at,
        at_einvoice(stated, stated) as einvoice_at,
        at_reminder(stated, stated) as reminder_at,
        at_sent(affirmed, stated) as sent_at,
        at_note(stated, stated) as note_at,
        at_success(affirmed, stated) as success_at,
        coalesce(
            at_pending(stated, stated),
            if(by_now != stated, coalesce(at_failure(stated, stated), at_success(stated, stated)), null)
        ) as pending_at,
        at_failure(by_now, stated) as failure_at,
        reason_at(stated, stated_reason) as reason_at,
    from affirmed_statements
),

firsts as (
    select
        *,
        least(
            settlement_at, chargeback_at, refund_at, mandate_at, einvoice_at, reminder_at, sent_at, note_at
        ) as subject_at,
        least(failure_at, reason_at) as trouble_at,
        least(success_at, pending_at, failure_at, reason_at) as outcome_at,
    from positions
),

said as (
    select
        *,
        case
            when
                name_says = 'einvoice' or (einvoice_at = subject_at and subject_at <= coalesce(outcome_at, subject_at))
                then if(says_trouble(stated), 'einvoice_failure', 'einvoice')
            when
                least(settlement_at, chargeback_at) <= coalesce(trouble_at, 1000000)
                and not coalesce(success_at < least(settlement_at, chargeback_at) and says_earlier(stated), false)
                then if(settlement_at <= coalesce(chargeback_at, settlement_at), 'settlement', 'chargeback')
            when subject_at <= coalesce(outcome_at, subject_at)
                then
                    case subject_at
                        when refund_at then 'refund'
                        when mandate_at then 'mandate'
                        when reminder_at then 'reminder'
                        when sent_at then 'sent'
                        when note_at then 'note'
                    end
            when
                success_at is not null
                and (
                    trouble_at is null
                    or says_earlier(stated)
                    or (success_at < trouble_at and not says_but(stated))
                )
                then 'success'
            when pending_at is not null and (trouble_at is null or says_earlier(stated)) then 'pending'
            when failure_at is not null then 'failure'
            when reason_at is not null
                then if(is_program_error(stated_reason), 'error', 'reason')
            when says_payment(stated) then 'payment'
            else 'nothing'
        end as text_says,
    from firsts
),

decided as (
    select
        *,
        evidence_priority(prefix_says, name_says, text_says, is_problem) as evidence_rule,
        coalesce(stated_reason, reason_priority(words || '. ' || title)) as reason_rule,
        says_by_hand(words || title) as is_manual,
        case
            when says_card(words || title) and not says_direct_debit(words || title) then 'card'
            when says_direct_debit(words || title) and not says_card(words || title) then 'direct_debit'
            when (is_manual or says_other_method(words || title)) and not says_card(words || title) then 'other'
            else 'unknown'
        end as payment_method,
    from said
),

-- Anybody can type what looks like a reference of this program.
typed_references as (
    select asked.description
    from (
        select
            description,
            unnest(regexp_extract_all(description, '\[ref ([0-9a-f]{12})\]', 1, 'i')) as reference,
        from distinct_texts
    ) as asked
    left join record.outbox as outbox on lower(asked.reference) = outbox.reference
    group by asked.description
    having count(outbox.reference) = 0
),

judged as materialized (
    select
        texts.*,
        decided.prefix_says,
        decided.name_says,
        decided.text_says,
        decided.evidence_rule,
        decided.reason_rule,
        decided.payment_method,
        decided.is_manual,
        own_priority(
            coalesce(texts.name, ''),
            if(
                typed_references.description is null,
                coalesce(texts.description, ''),
                regexp_replace(texts.description, '\[ref ', '[', 'gi')
            ),
            texts.is_problem
        ) as own_rule,
    from texts
    inner join decided
        on
            texts.name_wording = decided.name_wording
            and texts.wording is not distinct from decided.wording
            and texts.is_problem = decided.is_problem
    left join typed_references on texts.description = typed_references.description
),

people as (
    select distinct
        coworker_invoice_coworker_full_name as full_name,
        coworker_invoice_bill_to_name as bill_to_name,
        updated_by,
    from entries
),

name_words as (select distinct unnest(name_words(people_of(full_name, bill_to_name, updated_by))) as word from people),

wordings_alone as (select distinct wording from wordings),

masked_wordings as (
    select
        wording,
        mask_numbers(wording) as masked_description,
    from wordings_alone
),

description_words as (
    select distinct
        masked_description,
        unnest(words_of(lower(masked_description))) as word,
    from masked_wordings
),

naming_descriptions as (
    select distinct description_words.masked_description
    from description_words
    inner join name_words on description_words.word = name_words.word
),

entry_texts as (
    select
        judged.name,
        judged.description,
        judged.is_problem,
        if(
            judged.own_rule is null and outcome_rules.kind = 'payment_failed',
            coalesce(judged.reason_rule, judged.evidence_rule),
            outcome_rules.priority
        ) as rule_priority,
        outcome_rules.priority as outcome_rule_priority,
        outcome_rules.kind,
        case
            when outcome_rules.kind = 'payment_failed'
                then coalesce(outcome_rules.failure_reason, reason_rules.failure_reason, 'unknown')
        end as failure_reason,
        judged.payment_method,
        judged.is_manual,
        outcome_rules.is_understood,
        judged.prefix_says,
        judged.name_says,
        judged.text_says,
        masked_wordings.masked_description,
        naming_descriptions.masked_description is not null as may_name_someone,
    from judged
    inner join rules as outcome_rules on coalesce(judged.own_rule, judged.evidence_rule) = outcome_rules.priority
    left join rules as reason_rules on judged.reason_rule = reason_rules.priority
    left join masked_wordings on judged.wording is not distinct from masked_wordings.wording
    left join naming_descriptions on masked_wordings.masked_description = naming_descriptions.masked_description
)

select * from entry_texts
