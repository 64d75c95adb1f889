-- One row per business and currency, and per currency of all businesses: whether the words of its entries are
-- understood well enough to tell a rate. Days and periods are judged by their own entries in `range_failure_rates`.
--
-- columns
--   is_all_businesses    True in the rows that take all businesses of the currency together
--   business_id          Location that issued the invoices; null in the rows of all businesses
--   currency_code        Its currency; null where the API gave none
--   no_rate_because      wording_not_understood, or null
-- promises
--   unique: is_all_businesses, business_id, currency_code
--   not null: is_all_businesses
with

coverage as (select * from model.wording_coverage),

sums as (
    select
        grouping(business_id) = 1 as is_all_businesses,
        business_id,
        currency_code,
        sum(columns('_count$'))::bigint as '\0', -- noqa: RF05
    from model.wording_days
    group by grouping sets ((business_id, currency_code), (currency_code))
),

scope_wording as (
    select
        sums.is_all_businesses,
        sums.business_id,
        sums.currency_code,
        if(
            coverage.no_rate_because is not null
            or (sums.unexplained_entry_count >= 5 and is_little_understood(sums)), -- noqa: RF02
            'wording_not_understood',
            null
        ) as no_rate_because,
    from sums
    left join coverage on sums.business_id = coverage.business_id
)

select * from scope_wording
