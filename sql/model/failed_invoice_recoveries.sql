-- One row per invoice with a failed payment attempt: whether it recovered (was paid later, by any means), and how
-- long that took.
--
-- columns
--   invoice_id              Invoice
--   business_id             Location that issued it
--   currency_code           Currency of invoice_amount; null where the API gave none
--   invoice_amount          Amount of the invoice, in currency_code
--   open_amount             What is still due of it: 0 unless open or partly_recovered
--   credited_amount         What of it was credited: all of a credited invoice, a part of one that is open still
--   recovered_amount        What of it was paid after the first failure: all of a recovered invoice, a part of a
--                           partly_recovered one
--   first_failed_at         When its first failed attempt was reported
--   first_failed_date       Calendar day of first_failed_at in the reporting zone
--   month_start_date        First day of that month: the cohort
--   first_failure_reason    Why the first failed attempt failed
--   first_decline_type      What kind of failure that was, as decline_type in `payment_attempts`
--   last_failure_reason     Why the newest failed attempt failed
--   failed_attempt_count    Failed attempts
--   payment_route           direct_debit, card, manual or unknown, as in `invoices`
--   recovery_state          recovered (paid after the first failure, by any means), partly_recovered (a part is paid),
--                           paid_before (paid before it failed, and by no later attempt), open (not paid), refunded
--                           (whatever happened before), credited or voided (nothing is due any more). Without the
--                           invoices themselves none is partly_recovered, credited or voided
--   recovered_at            When a recovered invoice was paid; null where the API does not say
--   recovered_by            retry (a later attempt succeeded) or other_means (a transfer, cash, credit, ...)
--   days_to_recover         Calendar days from first_failed_date to the day of recovered_at
--   resolved_days           Calendar days from first_failed_date to the recovery, refund, credit or void; null while
--                           open or not known
--   observed_days           Whole calendar days since first_failed_date that the data covers
--   open_days               Calendar days that an open invoice has been open since first_failed_date
--   ageing_band             Band of open_days: 0-30, 31-60, 61-90 or 91+
--   as_of_at                When the invoice's state was observed
--   rules_version           Checksum of the rules that were applied
-- promises
--   unique: invoice_id
--   not null required_columns: invoice_id, first_failed_at, first_failed_date, month_start_date, recovery_state,
--       observed_days
--   accepted: recovery_state in (recovered, partly_recovered, paid_before, open, refunded, credited, voided)
--   accepted: recovered_by in (retry, other_means)
--   accepted: ageing_band in (0-30, 31-60, 61-90, 91+)
--   holds: (recovery_state in ('open', 'partly_recovered')) = (ageing_band is not null)
--   holds parts_are_no_more_than_the_whole: open_amount + recovered_amount + credited_amount <= invoice_amount
--   holds only_recovered_invoices_have_days_to_recover: days_to_recover is null or (days_to_recover >= 0 and
--       recovery_state = 'recovered')
-- published
with

attempts as (select * from model.payment_attempts),

invoices as (select * from model.invoices),

horizon as (select * from model.horizon),

first_failures as (
    select
        invoice_id,
        min(attempt_number) as first_failed_number,
        min(attempted_at) as first_failed_at,
        min(day_date) as first_failed_date,
        arg_min(failure_reason, attempt_number) as first_failure_reason,
        arg_min(decline_type, attempt_number) as first_decline_type,
        arg_max(failure_reason, attempt_number) as last_failure_reason,
        count(*) as failed_attempt_count,
        any_value(rules_version) as rules_version,
    from attempts
    where outcome = 'failed'
    group by invoice_id
),

later_successes as (
    select
        attempts.invoice_id,
        min(attempts.attempted_at) as succeeded_at,
    from attempts
    inner join first_failures on attempts.invoice_id = first_failures.invoice_id
    where attempts.outcome = 'succeeded' and attempts.attempt_number > first_failures.first_failed_number
    group by attempts.invoice_id
),

states as (
    select
        first_failures.*,
        invoices.business_id,
        invoices.currency_code,
        invoices.payment_route,
        invoices.total_amount as invoice_amount,
        invoices.as_of_at,
        invoices.is_refunded,
        invoices.is_paid,
        invoices.invoice_status,
        least(invoices.due_amount, invoices.total_amount) as due_amount,
        coalesce(invoices.credited_amount, 0) as credited_part,
        invoices.closed_at,
        invoices.refunded_at,
        invoices.paid_at,
        -- A payment entered by hand carries a bare date, so one of the day of the failure counts as after it.
        invoices.paid_at >= first_failures.first_failed_at
        or payment_date(invoices.paid_at) > first_failures.first_failed_date
        or (
            payment_date(invoices.paid_at) = first_failures.first_failed_date
            and (invoices.paid_at at time zone 'UTC')::time = time '00:00:00'
        ) as is_paid_after,
        later_successes.succeeded_at,
        greatest(horizon.last_complete_date - first_failures.first_failed_date, 0) as observed_days,
        greatest(horizon.as_of_date - first_failures.first_failed_date, 0) as age_days,
    from first_failures
    inner join invoices on first_failures.invoice_id = invoices.invoice_id
    cross join horizon
    left join later_successes on first_failures.invoice_id = later_successes.invoice_id
),

paid as (
    select
        *,
        case
            when invoice_status in ('refunded', 'credited', 'voided') then invoice_status
            when invoice_status = 'partly_paid' then 'partly_recovered'
            when not is_paid then 'open'
            when succeeded_at is null and not coalesce(is_paid_after, true) then 'paid_before'
            else 'recovered'
        end as recovery_state,
        if(coalesce(is_paid_after, false), paid_at, succeeded_at) as recovery_at,
        -- Only PaidOn may be a bare date: an attempt at midnight UTC is an instant like any other.
        if(coalesce(is_paid_after, false), payment_date(paid_at), local_date(succeeded_at)) as recovery_date,
    from states
),

failed_invoice_recoveries as (
    select
        invoice_id,
        business_id,
        currency_code,
        invoice_amount,
        if(recovery_state in ('open', 'partly_recovered'), coalesce(due_amount, 0), 0) as open_amount,
        case recovery_state
            when 'credited' then invoice_amount
            when 'open' then invoice_amount - open_amount
            when 'partly_recovered' then least(credited_part, invoice_amount - open_amount)
            else 0
        end as credited_amount,
        case recovery_state
            when 'recovered' then invoice_amount
            when 'partly_recovered' then invoice_amount - open_amount - credited_amount
            else 0
        end as recovered_amount,
        first_failed_at,
        first_failed_date,
        date_trunc('month', first_failed_date)::date as month_start_date,
        first_failure_reason,
        first_decline_type,
        last_failure_reason,
        failed_attempt_count,
        payment_route,
        recovery_state,
        if(recovery_state = 'recovered', recovery_at, null) as recovered_at,
        case
            when recovery_state = 'recovered' and succeeded_at is not null then 'retry'
            when recovery_state = 'recovered' then 'other_means'
        end as recovered_by,
        if(
            recovery_state = 'recovered' and recovery_at is not null,
            greatest(recovery_date - first_failed_date, 0),
            null
        ) as days_to_recover,
        case
            when recovery_state = 'recovered' then days_to_recover
            when recovery_state = 'refunded' and refunded_at is not null
                then greatest(payment_date(refunded_at) - first_failed_date, 0)
            when recovery_state in ('credited', 'voided') then greatest(local_date(closed_at) - first_failed_date, 0)
        end as resolved_days,
        observed_days,
        if(recovery_state in ('open', 'partly_recovered'), age_days, null) as open_days,
        case
            when open_days is null then null
            when age_days <= 30 then '0-30'
            when age_days <= 60 then '31-60'
            when age_days <= 90 then '61-90'
            else '91+'
        end as ageing_band,
        as_of_at,
        rules_version,
    from paid
)

select * from failed_invoice_recoveries
