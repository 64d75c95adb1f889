-- How a text becomes the words by which it is judged. Temporary macros, made anew on each connection that builds.

create or replace temp macro without_addresses(text) as case
    when contains(text, '@')
        then regexp_replace(text, '[^\s@<>()\[\]",;:]+@[^\s@<>()\[\]",;:]*[\pL\pN]', '<email>', 'g')
    else text
end;

-- Where five digits are a code: after a word like "code"; at the beginning, after FAILED: or before a colon or dash.
create or replace temp macro long_code() as (
    '((?:^\p{Lu}+ ?: ?|(?:^|[^\pL\pN])(?i:paypal|code|error|reason|response|result)[^\pL\pN]{1,3})[0-9]{5})\b'
    || '|(^[0-9]{5})( ?[:–-] |$)'
);

create or replace temp macro long_number() as (
    '[\pL\pM_]*\pN[\pL\pM\pN_]*(?:[.,:/-][\pL\pM_]*\pN[\pL\pM\pN_]*)+|(?:[\pL\pM_]*\pN){5,}[\pL\pM\pN_]*'
);

-- The same text for entries that differ only in addresses, amounts, dates and long numbers; provider codes stay, those
-- of five digits with a `#` behind them. What is masked here `mask_numbers` would mask as well, so that it may be given
-- this. Asking first whether there is such a code is quicker: RE2 is slow where it has to remember what it found.
create or replace temp macro wording_of(text) as case
    when regexp_matches(text, long_code())
        then regexp_replace(without_addresses(text), long_code() || '|' || long_number(), '\1\2#\3', 'g')
    else regexp_replace(without_addresses(text), long_number(), '#', 'g')
end;

-- Lower case, without accents, in the letters in which the words of sql/rules are compared.
create or replace temp macro plain_letters(text) as translate(
    replace(replace(replace(lower(strip_accents(text)), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
    'øłđıςａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ０１２３４５６７８９',
    'oldiσabcdefghijklmnopqrstuvwxyz0123456789'
);

-- Words with one space between, before and behind them; ` . ` where a clause ends, ` : ` after a label. CamelCase and
-- underscores are taken apart: insufficient_funds, InsufficientFunds and "Insufficient funds" are the same words.
create or replace temp macro plain_words(text) as ' ' || trim(
    regexp_replace(
        replace(
            replace(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(
                            plain_letters(
                                regexp_replace(
                                    replace(replace(left(text, 1000), '<email>', ' '), '://', ' '),
                                    '(\p{Ll})(\p{Lu})', '\1 \2', 'g'
                                )
                            ),
                            '[:：|]|\s[-–—=]+>?\s', '§', 'g'
                        ),
                        '[.,;!?](\s|$)|[。！？؟،؛…()\[\]{}\n\r]', '¶', 'g'
                    ),
                    '[^\pL\pM\pN#§¶]+', ' ', 'g'
                ),
                '§', ' : '
            ),
            '¶', ' . '
        ),
        ' +', ' ', 'g'
    )
) || ' ';
