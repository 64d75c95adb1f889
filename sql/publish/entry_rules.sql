-- One row per rule that says what a history entry is; of the rules that fit, the one with the lowest priority decides.
-- Below 1000 are patterns of your own, from 1000 on the order of evidence, from 2000 on the reasons of failed payments.
--
-- columns
--   priority               The lower decides
--   rule_name              Name of the rule
--   name_pattern           RE2 pattern for the entry's title, case-insensitive; empty where any title fits
--   description_pattern    RE2 pattern for its description; empty where any fits
--   prefix_says            What the word before the text must state: success, failure, pending or nothing; after
--                          a ! what it must not; empty where anything fits
--   name_says              What the title must state, likewise
--   text_says              What the text must state, likewise
--   is_problem             The API's flag that the entry must have; null where any fits
--   kind                   What a fitting entry is
--   failure_reason         Why a payment failed; null for every other kind
--   decline_type           What kind of failure that is; null for every other kind
--   next_step              What to do about it, in words
--   is_understood          False for what remains where no rule explains the words
--   rules_version          Checksum of all rules
with

rules as (select * from model.entry_rules)

select
    priority,
    rule_name,
    name_pattern,
    description_pattern,
    prefix_says,
    name_says,
    text_says,
    is_problem,
    kind,
    failure_reason,
    decline_type,
    next_step,
    is_understood,
    rules_version,
from rules
order by priority
