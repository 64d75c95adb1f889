-- What an invoice itself says. Temporary macros, for the model of invoices and for what is asked before a write-back.

-- The flag may be missing where the date is not.
create or replace temp macro is_flagged(flag, since) as coalesce(flag, since is not null);

-- DueAmount may be missing.
create or replace temp macro left_to_pay(due_amount, total_amount, paid_amount, credited_amount) as coalesce(
    due_amount, total_amount - coalesce(paid_amount, 0) - coalesce(credited_amount, 0)
);

-- The API's own flag of a credit note is set on ordinary invoices too.
create or replace temp macro is_credit_note(original_invoice_guid, total_amount) as (
    original_invoice_guid is not null or coalesce(total_amount < 0, false)
);

create or replace temp macro invoice_status(
    is_draft, is_voided, is_refunded, is_paid, left_amount, total_amount, paid_amount, credited_amount
) as (
    case
        when is_draft then 'draft'
        when is_voided then 'voided'
        when is_refunded then 'refunded'
        when is_paid then 'paid'
        when left_amount <= 0 and credited_amount > 0 then 'credited'
        when left_amount <= 0 and total_amount > 0 then 'paid'
        when paid_amount > 0 then 'partly_paid'
        else 'open'
    end
);
