-- One row: what this file is, what it is based on, and how far its data reaches.
--
-- columns
--   release_number          Number of this file; each published file has a higher one than the file before
--   published_at            When it was made
--   data_as_of_at           End of the data: everything up to this moment was read
--   reporting_timezone      IANA zone whose days and months the figures use
--   covered_from_at         Start of the history that was read
--   covered_until_at        End of what was read without a gap from there
--   gap_count               Ranges that are missing, listed in sync_gaps
--   entry_count             Live history entries
--   deleted_entry_count     Entries that are gone from the API
--   rejected_record_count   Records that broke the API's contract and were set aside: they are in no figure
--   rejected_amount_count   Those whose amount does not fit, for instance one with more than four decimals
--   no_invoice_entry_count  Live entries that name no invoice: they are in no figure of invoices
--   first_entry_at          When the oldest live entry was made
--   last_entry_at           When the newest live entry was made
--   rules_version           Checksum of the entry rules that were applied
--   program_version         Version of the program that made the file
--   has_personal_data       True where personal columns hold their values
--   business_count          Businesses
--   named_business_count    Those whose name is known
--   invoice_count           Live invoices that were read from their own list; 0 where that is not done
--   invoices_read_until_at  Up to when invoices were read; null where they never were
--   invoice_states_from     What states and open amounts rest on: invoices (read to the end of the data), old_invoices
--                           (not read for a day or more) or entries (never read: voids, credits and part payments are
--                           not known)
with

entries as (select * from model.history_entries),

landed as (select * from land.coworker_invoice_histories),

windows as (
    select * from land.windows
    where axis = 'UpdatedOn' and entity = 'CoworkerInvoiceHistory'
),

invoices as (
    select * from land.coworker_invoices
    where deleted_at is null
),

invoice_windows as (
    select * from land.windows
    where axis = 'UpdatedOn' and entity = 'CoworkerInvoice'
),

rejected as (
    select * from land.rejected_records
    where entity = 'CoworkerInvoiceHistory'
),

horizon as (select * from model.horizon),

rules as (select * from model.entry_rules),

names as (
    select * from land.business_names
    where business_name is not null
),

edges as (
    select
        from_at,
        to_at,
        max(to_at) over (
            order by from_at, to_at rows between unbounded preceding and 1 preceding
        ) as read_until_at,
    from windows
),

gaps as (
    select
        count(*) as gap_count,
        min(read_until_at) as first_gap_at,
    from edges
    where from_at > read_until_at
),

coverage as (
    select
        min(from_at) as covered_from_at,
        max(to_at) as last_to_at,
    from windows
),

counts as (
    select
        count(*) as entry_count,
        count(*) filter (where invoice_id is null) as no_invoice_entry_count,
        min(created_at) as first_entry_at,
        max(created_at) as last_entry_at,
    from entries
),

deletions as (select count(deleted_at) as deleted_entry_count from landed),

rejections as (
    select
        count(*) as rejected_record_count,
        count(*) filter (where contains(reason, 'DECIMAL(18,4)')) as rejected_amount_count,
    from rejected
),

invoice_coverage as (select max(to_at) as invoices_read_until_at from invoice_windows),

invoice_counts as (select count(*) as invoice_count from invoices),

versions as (select any_value(rules_version) as rules_version from rules),

business_ids as (
    select distinct business_id from entries
    where business_id is not null
),

businesses as (
    select
        count(*) as business_count,
        count(names.business_id) as named_business_count,
    from business_ids
    left join names on business_ids.business_id = names.business_id
)

select
    getvariable('release_number')::bigint as release_number,
    getvariable('published_at')::timestamptz as published_at,
    horizon.as_of_at as data_as_of_at,
    horizon.reporting_timezone,
    coverage.covered_from_at,
    coalesce(gaps.first_gap_at, coverage.last_to_at) as covered_until_at,
    gaps.gap_count,
    counts.entry_count,
    deletions.deleted_entry_count,
    rejections.rejected_record_count,
    rejections.rejected_amount_count,
    counts.no_invoice_entry_count,
    counts.first_entry_at,
    counts.last_entry_at,
    versions.rules_version,
    getvariable('program_version')::varchar as program_version,
    getvariable('personal_data')::boolean as has_personal_data,
    businesses.business_count,
    businesses.named_business_count,
    invoice_counts.invoice_count,
    invoice_coverage.invoices_read_until_at,
    case
        when invoice_coverage.invoices_read_until_at is null then 'entries'
        when invoice_coverage.invoices_read_until_at < horizon.as_of_at - interval 1 day then 'old_invoices'
        else 'invoices'
    end as invoice_states_from,
from horizon
cross join coverage
cross join gaps
cross join counts
cross join deletions
cross join rejections
cross join versions
cross join businesses
cross join invoice_counts
cross join invoice_coverage
