-- One row per incident: days on which the failure rate of a business had risen, its failures of one day were beyond
-- chance, its e-invoices failed, or it was silent. Found in polars (`pipelines/model/incidents.py` gives methods and
-- sources) from complete days only, failures given attempts: a billing day is no incident.
--
-- columns
--   business_id                     Location
--   currency_code                   Currency of open_amount; null where the API gave none
--   incident_kind                   rate_shift, burst (one day), silence (no entry at all) or einvoice
--   started_on_date                 First bad day, as far as the data tells it
--   detected_on_date                Day whose data showed it; later days change nothing of it but its end
--   ended_on_date                   Last bad day; null while it lasts
--   is_open                         True while it lasts
--   watched_count                   Attempts of the incident so far (e-invoices of einvoice, days of silence)
--   observed_count                  Those that failed; entries of a silence
--   expected_count                  How many would be usual
--   observed_ratio                  observed_count / watched_count; null for a silence
--   usual_ratio                     The rate before; null for a silence
--   chance_probability              How likely chance alone brings that many from start to detection
--   leading_failure_reason          The most frequent reason of the failures; null for einvoice and silence
--   leading_failure_reason_ratio    Its share of the failures
--   failed_invoice_count            Invoices that failed in it
--   customer_count                  Customers whose invoices these are
--   open_invoice_count              Those of the invoices with a failed payment that are still open
--   open_amount                     Sum of what is due of them, in currency_code
--   expected_amount                 What of it is expected to be recovered (`expected_invoice_recoveries`); null where
--                                   that is not known of any
--   rules_version                   Checksum of the rules that were applied
-- promises
--   unique one_row_per_incident: business_id, currency_code, incident_kind, started_on_date
--   not null required_columns: incident_kind, started_on_date, detected_on_date, is_open, watched_count,
--       observed_count, expected_count
--   accepted: incident_kind in (rate_shift, burst, silence, einvoice)
--   holds it_begins_before_it_is_detected_or_ends: started_on_date <= detected_on_date and
--       started_on_date <= coalesce(ended_on_date, detected_on_date)
--   holds parts_are_no_larger_than_the_whole: observed_count between 0 and watched_count and
--       open_invoice_count <= failed_invoice_count
--   holds shares_are_from_0_to_1: chance_probability between 0 and 1 and
--       leading_failure_reason_ratio between 0 and 1
-- reads
--   model.daily_payment_failure_rates
-- published
with

found as (select * from polars_incidents),

horizon as (select * from model.horizon),

versions as (select distinct rules_version from model.entry_rules),

invoices as (select * from model.invoices),

recoveries as (select * from model.failed_invoice_recoveries),

expected as (select * from model.expected_invoice_recoveries),

spans as (
    select
        found.*,
        row_number() over () as incident_number,
        coalesce(found.ended_on_date, horizon.last_complete_date) as last_date,
    from found
    cross join horizon
),

trials as (
    select
        invoice_id,
        business_id,
        currency_code,
        day_date,
        failure_reason,
        false as is_einvoice,
        outcome = 'failed' as has_failed,
    from model.payment_attempts
    union all by name
    select
        invoice_id,
        business_id,
        currency_code,
        day_date,
        null as failure_reason,
        true as is_einvoice,
        kind = 'einvoice_failed' as has_failed,
    from model.history_entries
    where kind in ('einvoice_succeeded', 'einvoice_failed')
),

incident_trials as (
    select
        spans.incident_number,
        spans.incident_kind,
        trials.invoice_id,
        trials.failure_reason,
        trials.has_failed,
    from spans
    inner join trials
        on
            spans.business_id is not distinct from trials.business_id
            and spans.currency_code is not distinct from trials.currency_code
            and (spans.incident_kind = 'einvoice') = trials.is_einvoice
    where
        spans.incident_kind <> 'silence'
        and trials.day_date between spans.started_on_date and spans.last_date
),

counts as (
    select
        incident_number,
        count(*) as watched_count,
        count(*) filter (where has_failed) as observed_count,
    from incident_trials
    group by all
),

reason_counts as (
    select
        incident_number,
        failure_reason,
        count(*) as reason_count,
    from incident_trials
    where failure_reason is not null
    group by all
),

reasons as (
    select
        incident_number,
        arg_max(failure_reason, (reason_count, failure_reason)) as leading_failure_reason,
        ratio(max(reason_count), sum(reason_count)) as leading_failure_reason_ratio,
    from reason_counts
    group by all
),

incident_invoices as (
    select distinct
        incident_number,
        incident_kind,
        invoice_id,
    from incident_trials
    where has_failed
),

failures as (
    select
        failed.incident_number,
        count(*) as failed_invoice_count,
        count(distinct invoices.coworker_id) as customer_count,
        count(recoveries.invoice_id) as open_invoice_count,
        sum(recoveries.open_amount) as open_amount,
        sum(expected.expected_amount) as expected_amount,
    from incident_invoices as failed
    left join invoices on failed.invoice_id = invoices.invoice_id
    left join recoveries
        on
            failed.invoice_id = recoveries.invoice_id
            and failed.incident_kind <> 'einvoice'
            and recoveries.recovery_state in ('open', 'partly_recovered')
    left join expected on recoveries.invoice_id = expected.invoice_id
    group by all
),

incidents as (
    select
        spans.business_id,
        spans.currency_code,
        spans.incident_kind,
        spans.started_on_date,
        spans.detected_on_date,
        spans.ended_on_date,
        spans.ended_on_date is null as is_open,
        coalesce(counts.watched_count, spans.last_date - spans.started_on_date + 1)::bigint as watched_count,
        coalesce(counts.observed_count, 0) as observed_count,
        coalesce(
            counts.watched_count * spans.usual_ratio,
            spans.expected_count * (spans.last_date - spans.started_on_date + 1) / spans.watched_count
        ) as expected_count,
        ratio(counts.observed_count, counts.watched_count) as observed_ratio,
        spans.usual_ratio,
        spans.chance_probability,
        reasons.leading_failure_reason,
        reasons.leading_failure_reason_ratio,
        coalesce(failures.failed_invoice_count, 0) as failed_invoice_count,
        coalesce(failures.customer_count, 0) as customer_count,
        coalesce(failures.open_invoice_count, 0) as open_invoice_count,
        coalesce(failures.open_amount, 0) as open_amount,
        failures.expected_amount,
        versions.rules_version,
    from spans
    cross join versions
    left join counts on spans.incident_number = counts.incident_number
    left join reasons on spans.incident_number = reasons.incident_number
    left join failures on spans.incident_number = failures.incident_number
)

select * from incidents
