-- One row per live history entry, with what the rules make of it. Facts of the invoice are in `invoices`: the copy that
-- an old entry carries is out of date, so it is not repeated here.
--
-- columns
--   entry_id                 Id of the history entry
--   invoice_id               Invoice that it is about
--   business_id              Location that issued the invoice
--   currency_code            Currency of that location; null where the API gave none
--   created_at               When the entry was made
--   updated_at               When it last changed
--   day_date                 Calendar day of created_at in the reporting zone
--   month_start_date         First day of that month
--   name                     Title, for instance "Payment Result"
--   description              Text of the entry
--   description_pattern      The text with numbers, e-mail addresses and the names of the people involved replaced
--   public_name              The title as it may be published without personal data: the words that the rules know
--   public_description       The same of the text
--   is_problem               The API's own flag. Alone it misses the commonest failures
--   has_problem              True where something went wrong, flagged or not; false for what this program wrote itself
--   kind                     What the entry is, by the rules
--   failure_reason           Why a payment failed; null for every other kind
--   rule_priority            Priority of the rule that decided; null where no rule fits
--   rule_name                Name of that rule
--   is_understood            False where no rule explains the words, and the kind is only what remains
--   payment_method           card, direct_debit, other or unknown: a guess from the words
--   is_manual_payment        True where a success was entered by hand (a transfer, cash, a cheque), as far as its text
--                            says
--   excluded_because         Why the payment figures leave the entry out (draft_invoice, credit_note, zero_invoice,
--                            no_invoice, dated_in_future); null where they do not
--   updated_by               Who changed it last
--   customer_was_notified    True where the customer was notified
--   seen_at                  When the row was last received
--   rules_version            Checksum of the rules that were applied
-- promises
--   unique: entry_id
--   not null required_columns: entry_id, created_at, updated_at, day_date, month_start_date, is_problem, has_problem,
--       kind, is_understood, payment_method
--   accepted: kind in (payment_succeeded, payment_failed, payment_pending, mandate_requested, invoice_sent,
--       einvoice_succeeded, einvoice_failed, refund, chargeback, own_record, other_problem, other)
--   accepted: failure_reason in (insufficient_funds, no_payment_method, mandate_revoked, over_limit, card_declined,
--       card_expired, authentication_required, provider_error, unknown)
--   holds: (kind = 'payment_failed') = (failure_reason is not null)
--   accepted: excluded_because in (draft_invoice, credit_note, zero_invoice, no_invoice, dated_in_future)
-- personal
--   name: public_name
--   description: public_description
--   description_pattern: public_description
--   updated_by
-- reads
--   land.reconciliations
-- published
with

entries as (
    select
        *,
        coalesce(is_problem, false) as is_flagged,
        coalesce(created_on, updated_on) as created_at,
        local_date(coalesce(created_on, updated_on)) as day_date,
    from land.coworker_invoice_histories
    where deleted_at is null
),

texts as (
    select
        entry_texts.*,
        titles.public_text as public_name,
        descriptions.public_text as public_description,
    from model.entry_texts
    left join model.public_texts as titles on mask_numbers(entry_texts.name) = titles.masked_text
    left join model.public_texts as descriptions on entry_texts.masked_description = descriptions.masked_text
),

rules as (select * from model.entry_rules),

-- One row, for one cross join: what each entry is compared with.
constants as (
    select distinct
        rules.rules_version,
        horizon.as_of_date,
    from rules
    cross join model.horizon as horizon
),

invoices as (select * from model.invoices),

-- Few texts name anybody, and looking for each person's own words is expensive, so it is done for those
-- entries alone.
judged as (
    select
        entries.*,
        texts.kind,
        texts.rule_priority,
        texts.failure_reason,
        texts.is_manual,
        texts.is_understood,
        texts.payment_method,
        texts.masked_description,
        texts.public_name,
        texts.public_description,
        texts.may_name_someone,
        if(
            texts.may_name_someone,
            name_words(
                people_of(
                    entries.coworker_invoice_coworker_full_name,
                    entries.coworker_invoice_bill_to_name,
                    entries.updated_by
                )
            ),
            null
        ) as people_words,
    from entries
    inner join texts
        on
            entries.name is not distinct from texts.name
            and entries.description is not distinct from texts.description
            and entries.is_flagged = texts.is_problem
),

history_entries as (
    select
        judged.id as entry_id,
        judged.coworker_invoice_id as invoice_id,
        if(
            invoices.invoice_id is null, judged.coworker_invoice_business_id, invoices.business_id
        ) as business_id,
        if(
            invoices.invoice_id is null,
            nullif(judged.coworker_invoice_business_currency_code, ''),
            invoices.currency_code
        ) as currency_code,
        judged.created_at,
        judged.updated_on as updated_at,
        judged.day_date,
        judged.day_date - (day(judged.day_date) - 1)::int as month_start_date,
        judged.name,
        judged.description,
        if(
            judged.may_name_someone,
            mask_words(judged.masked_description, judged.people_words),
            judged.masked_description
        ) as description_pattern,
        judged.public_name,
        judged.public_description,
        judged.is_flagged as is_problem,
        judged.kind <> 'own_record'
        and (
            judged.is_flagged
            or judged.kind in ('payment_failed', 'einvoice_failed', 'chargeback', 'other_problem')
        ) as has_problem,
        judged.kind,
        judged.failure_reason,
        judged.rule_priority,
        rules.rule_name,
        judged.is_understood,
        judged.payment_method,
        judged.kind = 'payment_succeeded' and judged.is_manual as is_manual_payment,
        case
            when judged.day_date > constants.as_of_date then 'dated_in_future'
            when judged.coworker_invoice_id is null then 'no_invoice'
            else invoices.excluded_because
        end as excluded_because,
        judged.updated_by,
        coalesce(judged.notify, false) as customer_was_notified,
        judged.seen_at,
        constants.rules_version,
    from judged
    cross join constants
    left join rules on judged.rule_priority = rules.priority
    left join invoices on judged.coworker_invoice_id = invoices.invoice_id
)

select * from history_entries
