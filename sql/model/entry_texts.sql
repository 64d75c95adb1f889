-- One row per distinct text that landed entries carry (title, description and problem flag): what the rules make of it.
-- Entries repeat a few hundred texts millions of times, so each text is judged once.
--
-- columns
--   name                  Title of the entry, as the API has it
--   description           Description, as the API has it
--   is_problem            The API's flag; a missing one counts as false
--   rule_priority         Priority of the rule that decides; null where no rule fits
--   kind                  What the entry is
--   failure_reason        Why a payment failed; null for every other kind
--   is_manual             True where the text speaks of a payment made by hand: a transfer, cash, a cheque
--   masked_description    Description without numbers and e-mail addresses
--   may_name_someone      True where a word of the description is a word of anybody's name
-- promises
--   unique: name, description, is_problem
--   not null: is_problem, kind, may_name_someone
-- personal
--   name
--   description
--   masked_description
-- reads
--   land.reconciliations
with

entries as not materialized (select * from land.coworker_invoice_histories),

rules as (select * from model.entry_rules),

texts as (
    select distinct
        name,
        description,
        coalesce(is_problem, false) as is_problem,
    from entries
),

judged as materialized (
    select
        name,
        description,
        is_problem,
        deciding_priority(coalesce(name, ''), coalesce(description, ''), is_problem) as rule_priority,
        is_manual_payment(name, description) as is_manual,
        mask_numbers(description) as masked_description,
    from texts
),

people as (
    select distinct
        coworker_invoice_coworker_full_name as full_name,
        coworker_invoice_bill_to_name as bill_to_name,
        updated_by,
    from entries
),

name_words as (select distinct unnest(name_words(people_of(full_name, bill_to_name, updated_by))) as word from people),

masked_descriptions as (select distinct masked_description from judged),

description_words as (
    select
        masked_description,
        unnest(words_of(lower(masked_description))) as word,
    from masked_descriptions
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
        judged.rule_priority,
        coalesce(rules.kind, case when judged.is_problem then 'other_problem' else 'other' end) as kind,
        rules.failure_reason,
        judged.is_manual,
        judged.masked_description,
        naming_descriptions.masked_description is not null as may_name_someone,
    from judged
    left join rules on judged.rule_priority = rules.priority
    left join naming_descriptions on judged.masked_description = naming_descriptions.masked_description
)

select * from entry_texts
