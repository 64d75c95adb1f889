-- One row per business, currency and month of successful payments: how many of them the customer's bank took back. A
-- chargeback counts for the invoice's last success before it. It may come months later, so young months still grow.
--
-- columns
--   business_id                  Location that issued the invoices
--   currency_code                Its currency; null where the API gave none
--   month_start_date             First day of the month in which the payments succeeded
--   succeeded_attempt_count      Payments that succeeded in it
--   charged_back_attempt_count   Those that were charged back later
--   chargeback_ratio             charged_back_attempt_count / succeeded_attempt_count
--   rules_version                Checksum of the rules that were applied
-- promises
--   unique: business_id, currency_code, month_start_date
--   not null required_columns: month_start_date, succeeded_attempt_count, charged_back_attempt_count
--   holds: charged_back_attempt_count <= succeeded_attempt_count
-- published
with

successes as (
    select * from model.payment_attempts
    where outcome = 'succeeded'
),

chargebacks as (
    select * from model.history_entries
    where kind = 'chargeback' and excluded_because is null
),

last_successes as (
    select arg_max(successes.entry_id, (successes.attempted_at, successes.entry_id)) as entry_id
    from chargebacks
    inner join successes
        on chargebacks.invoice_id = successes.invoice_id and chargebacks.created_at >= successes.attempted_at
    group by chargebacks.entry_id
),

charged_back as (select distinct entry_id from last_successes),

monthly_chargeback_rates as (
    select
        successes.business_id,
        successes.currency_code,
        successes.month_start_date,
        count(*) as succeeded_attempt_count,
        count(charged_back.entry_id) as charged_back_attempt_count,
        ratio(count(charged_back.entry_id), count(*)) as chargeback_ratio,
        any_value(successes.rules_version) as rules_version,
    from successes
    left join charged_back on successes.entry_id = charged_back.entry_id
    group by successes.business_id, successes.currency_code, successes.month_start_date
)

select * from monthly_chargeback_rates
order by business_id, currency_code, month_start_date
