-- One row per rule that says what a history entry is; the fitting rule with the lowest priority decides.
--
-- columns
--   priority               The lower decides
--   rule_name              Name of the rule
--   name_pattern           RE2 pattern for the entry's title, case-insensitive; empty where any title fits
--   description_pattern    RE2 pattern for its description; empty where any fits
--   is_problem             The API's flag that the entry must have; null where any fits
--   kind                   What a fitting entry is
--   failure_reason         Why a payment failed; null for every other kind
--   rules_version          Checksum of all rules
with

rules as (select * from model.entry_rules)

select
    priority,
    rule_name,
    name_pattern,
    description_pattern,
    is_problem,
    kind,
    failure_reason,
    rules_version,
from rules
order by priority
