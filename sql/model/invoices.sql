-- One row per invoice that has a live history entry, as it was at its newest observation. Each history entry carries a
-- copy of its invoice, as of the moment when the entry was seen; the copy seen last is the one that counts. Where the
-- invoice itself was read, it says more; of what both say, the newer one counts.
--
-- columns
--   invoice_id            Id of the invoice
--   invoice_number        Number printed on the invoice
--   business_id           Location that issued it
--   currency_code         Currency of that location (ISO 4217); null where the API gave none
--   coworker_id           Customer who owns it
--   coworker_full_name    Name of that customer
--   bill_to_name          Name it is billed to
--   invoice_currency_code  The invoice's own currency; null where the invoice itself was not read
--   total_amount          Amount to pay, in currency_code
--   due_amount            What is still to be paid: 0 unless open or partly_paid. Without the invoice itself all of an
--                         unpaid invoice counts as due
--   paid_amount           What has been paid; null where only the invoice itself could tell
--   credited_amount       What has been credited; null where the invoice itself was not read
--   invoice_status        open, partly_paid, paid, refunded, credited, voided or draft. Of these partly_paid, credited
--                         and voided are known from the invoice itself alone
--   is_credit_note        True where it takes back another invoice or its amount is below zero
--   payment_route         How it is collected: direct_debit, card, manual or unknown
--   payment_route_source  invoice (it says so itself) or wording (guessed from its entries); null where unknown
--   is_manual_payer       True where the customer is never collected automatically; null where not known
--   has_mandate           Whether the customer has a direct-debit mandate now; null where not known
--   has_card              Whether the customer has a card now; null where not known
--   last_attempt_at       Last attempt to collect it, by the invoice itself; null where not known
--   closed_at             When a voided or credited invoice last changed, about when that was done
--   is_draft              True while it is a draft
--   is_paid               True when it is fully paid
--   paid_at               When it was paid; null while it is not
--   is_refunded           True when it was refunded
--   refunded_at           When it was refunded
--   due_at                When it is due
--   excluded_because      Why the payment figures leave it out (draft_invoice, credit_note, zero_invoice); null: they
--                         count it
--   first_entry_at        When its oldest live history entry was created
--   last_entry_at         When its newest live history entry was created
--   entry_count           Number of its live history entries
--   as_of_at              When this state was observed
--   invoice_read_at       When the invoice itself was read; null where it never was
-- promises
--   unique: invoice_id
--   not null required_columns: invoice_id, is_draft, is_paid, is_refunded, as_of_at, invoice_status, is_credit_note,
--       payment_route
--   accepted: excluded_because in (draft_invoice, credit_note, zero_invoice)
--   accepted: invoice_status in (open, partly_paid, paid, refunded, credited, voided, draft)
--   accepted: payment_route in (direct_debit, card, manual, unknown)
--   accepted: payment_route_source in (invoice, wording)
--   holds a_route_has_a_source: (payment_route = 'unknown') = (payment_route_source is null)
--   holds only_what_is_open_is_due: due_amount = 0 or (due_amount > 0 and invoice_status in ('open', 'partly_paid'))
--   holds: entry_count > 0
-- personal
--   coworker_full_name
--   bill_to_name
-- pseudonymous
--   invoice_number
--   coworker_id
-- reads
--   land.reconciliations
-- published
with

entries as not materialized (select * from land.coworker_invoice_histories),

-- One answer may hold several entries of an invoice: of those the one that changed last counts, then the larger Id.
-- Only its Id is sought, and the rest joined to it: whole copies to compare and keep would not fit into little memory.
newest_observations as (
    select
        coworker_invoice_id as invoice_id,
        arg_max(id, struct_pack(seen_at := seen_at, updated_on := updated_on, id := id)) as entry_id,
        max(seen_at) as as_of_at,
        min(created_on) filter (where deleted_at is null) as first_entry_at,
        max(created_on) filter (where deleted_at is null) as last_entry_at,
        count(*) filter (where deleted_at is null) as entry_count,
    from entries
    where coworker_invoice_id is not null
    group by coworker_invoice_id
    having count(*) filter (where deleted_at is null) > 0
),

-- The wording of the newest attempt that names a route. A success that was entered by hand was paid by hand.
worded_routes as (
    select
        entries.coworker_invoice_id as invoice_id,
        arg_max(
            if(texts.is_manual, 'manual', texts.payment_method), struct_pack(at := entries.created_on, id := entries.id)
        ) as payment_route,
    from entries
    inner join model.entry_texts as texts
        on
            entries.name is not distinct from texts.name
            and entries.description is not distinct from texts.description
            and coalesce(entries.is_problem, false) = texts.is_problem
    where
        entries.deleted_at is null
        and texts.kind in ('payment_succeeded', 'payment_failed', 'payment_pending')
        and (
            texts.payment_method in ('card', 'direct_debit')
            or (texts.kind = 'payment_succeeded' and texts.is_manual)
        )
    group by entries.coworker_invoice_id
),

read_invoices as (
    select
        *,
        is_flagged(paid, paid_on) as is_paid,
        is_flagged(refunded, refunded_on) as is_refunded,
        left_to_pay(due_amount, total_amount, paid_amount, credited_amount) as left_amount,
        case
            when has_go_cardless_reference then 'direct_debit'
            when has_spreedly_token then 'card'
            when coworker_do_not_process_invoices_automatically then 'manual'
        end as payment_route,
    from land.coworker_invoices
    where deleted_at is null
),

observed as (
    select
        newest_observations.*,
        entries.coworker_invoice_invoice_number as invoice_number,
        entries.coworker_invoice_business_id as business_id,
        nullif(entries.coworker_invoice_business_currency_code, '') as currency_code,
        nullif(held.currency_code, '') as invoice_currency_code,
        entries.coworker_invoice_coworker_id as coworker_id,
        entries.coworker_invoice_coworker_full_name as coworker_full_name,
        entries.coworker_invoice_bill_to_name as bill_to_name,
        held.id is not null and held.seen_at >= newest_observations.as_of_at as is_newer,
        if(is_newer, held.total_amount, entries.coworker_invoice_total_amount) as total_amount,
        held.paid_amount,
        held.credited_amount,
        coalesce(held.void, false) as is_voided,
        coalesce(if(is_newer, held.draft, entries.coworker_invoice_draft), false) as is_draft,
        if(
            is_newer,
            held.is_paid,
            is_flagged(entries.coworker_invoice_paid, entries.coworker_invoice_paid_on)
        ) as is_paid,
        if(is_newer, held.paid_on, entries.coworker_invoice_paid_on) as paid_at,
        if(
            is_newer,
            held.is_refunded,
            is_flagged(entries.coworker_invoice_refunded, entries.coworker_invoice_refunded_on)
        ) as is_refunded,
        if(is_newer, held.refunded_on, entries.coworker_invoice_refunded_on) as refunded_at,
        entries.coworker_invoice_due_date as due_at,
        held.original_invoice_guid,
        if(held.id is null, entries.coworker_invoice_total_amount, held.left_amount) as left_amount,
        coalesce(held.payment_route, worded_routes.payment_route, 'unknown') as payment_route,
        case
            when held.payment_route is not null then 'invoice'
            when worded_routes.payment_route is not null then 'wording'
        end as payment_route_source,
        held.coworker_do_not_process_invoices_automatically as is_manual_payer,
        held.has_go_cardless_contract as has_mandate,
        held.has_card or held.has_regular_payment_contract as has_card,
        held.last_payment_attempt as last_attempt_at,
        held.updated_on as changed_at,
        held.seen_at as invoice_read_at,
    from newest_observations
    inner join entries on newest_observations.entry_id = entries.id
    left join read_invoices as held on newest_observations.invoice_id = held.id
    left join worded_routes on newest_observations.invoice_id = worded_routes.invoice_id
),

judged as (
    select
        *,
        invoice_status(
            is_draft, is_voided, is_refunded, is_paid, left_amount, total_amount, paid_amount, credited_amount
        ) as invoice_status,
    from observed
),

invoices as (
    select
        invoice_id,
        invoice_number,
        business_id,
        currency_code,
        invoice_currency_code,
        coworker_id,
        coworker_full_name,
        bill_to_name,
        total_amount,
        if(invoice_status in ('open', 'partly_paid'), greatest(left_amount, 0), 0) as due_amount,
        if(invoice_status = 'paid', coalesce(nullif(paid_amount, 0), total_amount), paid_amount) as paid_amount,
        credited_amount,
        invoice_status,
        is_credit_note(original_invoice_guid, total_amount) as is_credit_note,
        payment_route,
        payment_route_source,
        is_manual_payer,
        has_mandate,
        has_card,
        last_attempt_at,
        if(invoice_status in ('voided', 'credited'), changed_at, null) as closed_at,
        is_draft,
        is_paid or invoice_status = 'paid' as is_paid,
        paid_at,
        is_refunded,
        refunded_at,
        due_at,
        case
            when is_draft then 'draft_invoice'
            when original_invoice_guid is not null then 'credit_note'
            when total_amount <= 0 then 'zero_invoice'
        end as excluded_because,
        first_entry_at,
        last_entry_at,
        entry_count,
        if(is_newer, invoice_read_at, as_of_at) as as_of_at,
        invoice_read_at,
    from judged
)

select * from invoices
