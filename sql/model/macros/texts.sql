-- How free text becomes a pattern that names nobody. Temporary macros, made anew on each connection that builds models.

-- E-mail addresses, then every word that holds a digit (amounts, dates, ids, account numbers), give way to a sign.
create or replace temp macro mask_numbers(text) as regexp_replace(
    case
        when contains(text, '@')
            then regexp_replace(text, '[^\s@<>()\[\]",;:]+@[^\s@<>()\[\]",;:]*[\pL\pN]', '<email>', 'g')
        else text
    end,
    '[\pL\pM_]*\pN[\pL\pM\pN_]*(?:[.,:/-][\pL\pM_]*\pN[\pL\pM\pN_]*)*#?', '#', 'g'
);

-- The words of a text, as written.
create or replace temp macro words_of(text) as regexp_extract_all(text, '[\pL\pM\pN]+');

-- Everybody whose name an entry may mention: customer, payer, and who changed it last (known by an e-mail address).
create or replace temp macro people_of(full_name, bill_to, updated_by) as concat_ws(
    ' ', full_name, bill_to, split_part(updated_by, '@', 1)
);

-- The words of people's names, in lower case. A lone letter names nobody.
create or replace temp macro name_words(people) as list_filter(
    words_of(lower(people)), lambda word: length(word) > 1
);

-- A text without these words, which are given in lower case; a run of them becomes one sign.
create or replace temp macro mask_words(text, hidden) as regexp_replace(
    array_to_string(
        list_transform(
            regexp_extract_all(text, '[\pL\pM\pN]+|[^\pL\pM\pN]+'),
            lambda word: if(list_contains(hidden, lower(word)), '<name>', word)
        ),
        ''
    ),
    '<name>(?:[^\pL\pN<#]+<name>)+', '<name>', 'g'
);
