-- One row per business (and all of them together), currency and ageing band with invoices that failed and are still
-- open: what remains to be collected, by how long it has been open.
--
-- columns
--   is_all_businesses     True in the rows that take all businesses of the currency together
--   business_id           Location that issued the invoices; null in the rows of all businesses
--   currency_code         Currency of open_amount; null where the API gave none
--   ageing_band           0-30, 31-60, 61-90 or 91+ days since the first failed attempt
--   open_invoice_count    Invoices that failed and are not paid, or not wholly
--   open_amount           Sum of what is due of them
--   oldest_open_days      Days that the oldest of them has been open
--   rules_version         Checksum of the rules that were applied
-- promises
--   unique one_row_per_scope_and_band: is_all_businesses, business_id, currency_code, ageing_band
--   not null: is_all_businesses, ageing_band, open_invoice_count
--   accepted: ageing_band in (0-30, 31-60, 61-90, 91+)
-- published
with

open_invoices as (
    select * from model.failed_invoice_recoveries
    where recovery_state in ('open', 'partly_recovered')
),

open_failed_amounts as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        ageing_band,
        count(*) as open_invoice_count,
        coalesce(sum(open_amount), 0) as open_amount,
        max(open_days) as oldest_open_days,
        any_value(rules_version) as rules_version,
    from open_invoices
    group by grouping sets ((business_id, currency_code, ageing_band), (currency_code, ageing_band))
)

select * from open_failed_amounts
order by is_all_businesses, business_id, currency_code, ageing_band
