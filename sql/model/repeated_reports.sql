-- One row per entry that reports an attempt which an earlier entry of the invoice has reported already, in another
-- form: "SUCCESS: collected" and then "Payment received", or "AWAITING: insufficient funds" and then "FAILED:
-- Insufficient funds". The attempt counts once, by its first report; docs/figures.md gives the rule.
--
-- columns
--   entry_id        Id of the entry that repeats
--   invoice_id      Invoice that it is about
--   run_number      Number of the run of reports with one outcome, within the invoice
-- promises
--   unique: entry_id
--   not null: entry_id, invoice_id
-- published
with

entries as (
    select
        entry_id,
        invoice_id,
        created_at,
        kind,
        failure_reason,
        name,
        if(
            kind = 'payment_succeeded', description_pattern, regexp_extract(description, '^\s*([^:]{1,20}):', 1)
        ) as wording,
    from model.history_entries
    where
        kind in ('payment_succeeded', 'payment_failed', 'payment_pending', 'refund', 'chargeback')
        and excluded_because is null
),

-- Few invoices have two reports of one outcome, and only those are put in order.
candidates as (
    select invoice_id from entries
    group by invoice_id
    having
        count(*) filter (where kind = 'payment_succeeded') > 1
        or count(*) filter (where kind = 'payment_failed') > 1
),

followed as (
    select
        entries.*,
        lag(entries.kind) over invoice_entries = entries.kind
        and entries.created_at - lag(entries.created_at) over invoice_entries
        <= if(entries.kind = 'payment_succeeded', interval 7 days, interval 1 day)
        and (
            lag(entries.failure_reason) over invoice_entries is not distinct from entries.failure_reason
            or 'unknown' in (entries.failure_reason, lag(entries.failure_reason) over invoice_entries)
        ) as goes_on,
    from entries
    inner join candidates on entries.invoice_id = candidates.invoice_id
    window invoice_entries as (partition by entries.invoice_id order by entries.created_at, entries.entry_id)
),

runs as (
    select
        *,
        count(*) filter (where not coalesce(goes_on, false)) over (
            partition by invoice_id
            order by created_at, entry_id
            rows unbounded preceding
        ) as run_number,
    from followed
),

-- The same form again is the next attempt: a run has as many attempts as its most frequent form has reports.
numbered as (
    select
        *,
        row_number() over (
            partition by invoice_id, run_number, name, wording
            order by created_at, entry_id
        ) as report_number,
    from runs
),

repeated_reports as (
    select
        entry_id,
        invoice_id,
        run_number,
    from numbered
    where kind in ('payment_succeeded', 'payment_failed')
    qualify report_number <= max(report_number) over (
        partition by invoice_id, run_number
        order by created_at, entry_id
        rows between unbounded preceding and 1 preceding
    )
)

select * from repeated_reports
