-- One row per finding: a sentence on an incident that lasts or ended in the last two weeks, most important first.
-- An incident of fewer than five failures is not worth a sentence. The parts of the sentence stand beside it.
--
-- columns
--   finding_number            1 is the most important: what lasts first, then by failures beyond the usual a day
--   finding                   The sentence
--   business_id               Location that it is about
--   business_name             Its name; its id where no name is known
--   currency_code             Currency of open_amount; null where the API gave none
--   incident_kind             rate_shift, burst, silence or einvoice
--   started_on_date           First bad day
--   ended_on_date             Last bad day; null while it lasts
--   usual_ratio               The rate before; null for a silence
--   observed_ratio            The rate since; null for a silence
--   leading_failure_reason    The most frequent reason; null for einvoice and silence
--   customer_count            Customers whose invoices failed
--   open_invoice_count        Invoices with a failed payment that are still open
--   open_amount               Sum of their amounts, in currency_code: what is at risk
--   expected_amount           What of it is expected to be recovered; null where that is not known
-- promises
--   unique: finding_number
--   not null required_columns: finding_number, finding, incident_kind, started_on_date
with

incidents as (select * from model.incidents),

horizon as (select * from model.horizon),

names as (
    select * from land.business_names
    where business_name is not null
),

current as (
    select
        incidents.*,
        coalesce(names.business_name, incidents.business_id::varchar, 'invoices without a business') as business_name,
        if(
            incidents.incident_kind = 'silence',
            incidents.expected_count,
            incidents.observed_count - incidents.expected_count
        ) as excess_count,
        coalesce(incidents.ended_on_date, horizon.last_complete_date) - incidents.started_on_date + 1 as lasted_days,
    from incidents
    cross join horizon
    left join names on incidents.business_id = names.business_id
    where incidents.is_open or incidents.ended_on_date > horizon.last_complete_date - 14
),

-- A burst with which a rise began, or that is part of one, is told by the sentence on the rise.
told as (
    select bursts.* from current as bursts
    left join incidents as rises
        on
            bursts.incident_kind = 'burst'
            and rises.incident_kind = 'rate_shift'
            and bursts.business_id is not distinct from rises.business_id
            and bursts.currency_code is not distinct from rises.currency_code
            and bursts.started_on_date between rises.started_on_date
            and coalesce(rises.ended_on_date, bursts.started_on_date)
    where
        rises.incident_kind is null
        and bursts.excess_count > 0
        and (bursts.observed_count >= 5 or bursts.incident_kind = 'silence')
),

parts as (
    select
        *,
        format('{:.0f} %', 100 * usual_ratio) as usual_percent,
        format('{:.0f} %', 100 * observed_ratio) as observed_percent,
        case
            when incident_kind = 'burst' and coalesce(ended_on_date, started_on_date) = started_on_date
                then ' on ' || strftime(started_on_date, '%-d %B %Y')
            when ended_on_date is null
                then ' since ' || strftime(started_on_date, '%-d %B %Y')
            else
                ' from ' || strftime(started_on_date, '%-d %B %Y') || ' to ' || strftime(ended_on_date, '%-d %B %Y')
        end as span,
        if(
            leading_failure_reason_ratio >= 0.4 and leading_failure_reason <> 'unknown',
            ', mostly ' || replace(leading_failure_reason, '_', ' '),
            ''
        ) as reason,
        if(
            open_amount > 0,
            '; ' || coalesce(currency_code || ' ', '') || format('{:,}', round(open_amount)::bigint) || ' at risk'
            || coalesce(
                format(', about {:.0f} % of it likely to be recovered', 100 * expected_amount::double / open_amount), ''
            ),
            ''
        ) as risk,
    from told
),

findings as (
    select
        row_number() over (
            order by
                is_open desc,
                excess_count / lasted_days desc,
                business_id asc,
                currency_code asc,
                incident_kind asc,
                started_on_date asc
        ) as finding_number,
        case incident_kind
            when 'rate_shift'
                then
                    'Failures at ' || business_name || ' rose from ' || usual_percent || ' to ' || observed_percent
                    || span || reason || risk
            when 'burst'
                then
                    format('{:d} of {:d}', observed_count, watched_count) || ' payments at ' || business_name
                    || ' failed' || span || format(', where {:.0f} would be usual', expected_count)
                    || reason || risk
            when 'einvoice'
                then
                    'E-invoice errors at ' || business_name || ' rose from ' || usual_percent || ' to '
                    || observed_percent || span
            else
                'No entry at ' || business_name || span
                || format(', where about {:.0f} would be usual', expected_count)
        end || '.' as finding,
        business_id,
        business_name,
        currency_code,
        incident_kind,
        started_on_date,
        ended_on_date,
        usual_ratio,
        observed_ratio,
        leading_failure_reason,
        customer_count,
        open_invoice_count,
        open_amount,
        expected_amount,
    from parts
)

select * from findings
