-- The filters of a view, which every question applies alike. An empty list means all; no currency is called 'none'.
create or replace temp macro is_chosen_business(business_id) as (
    len(getvariable('businesses')::bigint[]) = 0
    or list_contains(getvariable('businesses')::bigint[], business_id)
);

-- Figures of all businesses together where none is chosen, else those of each chosen one.
create or replace temp macro is_chosen_scope(is_all_businesses, business_id) as (
    case
        when len(getvariable('businesses')::bigint[]) = 0 then is_all_businesses
        else not is_all_businesses and list_contains(getvariable('businesses')::bigint[], business_id)
    end
);

create or replace temp macro is_chosen_currency(currency_code) as (
    len(getvariable('currencies')::varchar[]) = 0
    or list_contains(getvariable('currencies')::varchar[], coalesce(currency_code, 'none'))
);

create or replace temp macro is_chosen_kind(kind) as (
    len(getvariable('kinds')::varchar[]) = 0 or list_contains(getvariable('kinds')::varchar[], kind)
);

create or replace temp macro is_chosen_reason(failure_reason) as (
    len(getvariable('reasons')::varchar[]) = 0
    or list_contains(getvariable('reasons')::varchar[], failure_reason)
);

-- Words that stand in the title, the text or the invoice's number, in any case.
create or replace temp macro has_chosen_words(name, description, invoice_id) as (
    getvariable('text')::varchar is null
    or contains(lower(concat_ws(' ', name, description, invoice_id)), lower(getvariable('text')::varchar))
    or invoice_id in (
        select numbered.invoice_id from invoices as numbered
        where contains(lower(numbered.invoice_number), lower(getvariable('text')::varchar))
    )
);

create or replace temp macro business_label(business_name, business_id) as (
    coalesce(business_name, business_id::varchar, 'no business')
);

-- The entries of a view. The history of an invoice is shown whole, whatever the period; `counted` are those that the
-- rates count.
create or replace temp macro is_in_view(
    day_date, business_id, currency_code, invoice_id, kind, failure_reason, excluded_because
) as (
    (getvariable('invoice')::bigint is not null or day_date between getvariable('from') and getvariable('until'))
    and is_chosen_business(business_id)
    and is_chosen_currency(currency_code)
    and is_chosen_kind(kind)
    and is_chosen_reason(failure_reason)
    and (getvariable('invoice')::bigint is null or invoice_id = getvariable('invoice')::bigint)
    and (not getvariable('counted')::boolean or excluded_because is null)
);
