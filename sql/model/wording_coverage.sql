-- One row per business: how far the words of its entries are understood. Where any of the three shares of what no
-- rule explains is above 10 %, its rates are null: without the successes, only failures would be left.
--
-- columns
--   business_id                       Location that issued the invoices
--   entry_count                       Entries
--   unexplained_entry_count           Entries whose words no rule explains
--   unexplained_entry_ratio           unexplained_entry_count / entry_count
--   flagged_entry_count               Entries that the API flags
--   unexplained_flagged_entry_count   Those whose words no rule explains
--   unexplained_flagged_entry_ratio   unexplained_flagged_entry_count / flagged_entry_count
--   paid_invoice_count                Paid invoices with a success, or with an entry that no rule explains
--   unexplained_paid_invoice_count    Those without any success
--   unexplained_paid_invoice_ratio    unexplained_paid_invoice_count / paid_invoice_count
--   no_rate_because                   wording_not_understood where the rates of the business are null, else null
--   commonest_name                    Title of the wording that no rule explains and that is most frequent
--   commonest_pattern                 Its text, as in `unrecognised_entries`
--   commonest_public_name             The title as it may be published without personal data
--   commonest_public_text             The same of the text
--   commonest_entry_count             Entries with it
--   rules_version                     Checksum of the rules that were applied
-- promises
--   unique: business_id
--   accepted: no_rate_because in (wording_not_understood)
-- personal
--   commonest_name: commonest_public_name
--   commonest_pattern: commonest_public_text
-- published
with

days as (select * from model.wording_days),

versions as (select distinct rules_version from model.entry_rules),

patterns as (
    select
        business_id,
        name,
        description_pattern,
        any_value(public_name) as public_name,
        any_value(public_description) as public_description,
        count(*) as entry_count,
    from model.history_entries
    where not is_understood
    group by business_id, name, description_pattern
),

commonest as (
    select
        business_id,
        arg_max(patterns, (entry_count, name, description_pattern)) as pattern,
    from patterns
    group by business_id
),

sums as (
    select
        business_id,
        sum(columns('_count$'))::bigint as '\0', -- noqa: RF05
    from days
    group by business_id
),

wording_coverage as (
    select
        sums.business_id,
        sums.entry_count,
        sums.unexplained_entry_count,
        ratio(sums.unexplained_entry_count, sums.entry_count) as unexplained_entry_ratio,
        sums.flagged_entry_count,
        sums.unexplained_flagged_entry_count,
        ratio(sums.unexplained_flagged_entry_count, sums.flagged_entry_count) as unexplained_flagged_entry_ratio,
        sums.paid_invoice_count,
        sums.unexplained_paid_invoice_count,
        ratio(sums.unexplained_paid_invoice_count, sums.paid_invoice_count) as unexplained_paid_invoice_ratio,
        if(is_little_understood(sums), 'wording_not_understood', null) as no_rate_because, -- noqa: RF02
        commonest.pattern['name'] as commonest_name,
        commonest.pattern['description_pattern'] as commonest_pattern,
        commonest.pattern['public_name'] as commonest_public_name,
        commonest.pattern['public_description'] as commonest_public_text,
        coalesce(commonest.pattern['entry_count'], 0) as commonest_entry_count,
        versions.rules_version,
    from sums
    cross join versions
    left join commonest on sums.business_id is not distinct from commonest.business_id
)

select * from wording_coverage
order by business_id
