-- How a text becomes the words by which it is judged. Temporary macros, made anew on each connection that builds.

-- The same text for entries that differ only in addresses, amounts, dates and long numbers; provider codes stay.
-- What is masked here `mask_numbers` would mask as well, so that it may be given this instead of the text.
create or replace temp macro wording_of(text) as regexp_replace(
    case
        when contains(text, '@')
            then regexp_replace(text, '[^\s@<>()\[\]",;:]+@[^\s@<>()\[\]",;:]*[\pL\pN]', '<email>', 'g')
        else text
    end,
    '[\pL\pM_]*\pN[\pL\pM\pN_]*(?:[.,:/-][\pL\pM_]*\pN[\pL\pM\pN_]*)+|(?:[\pL\pM_]*\pN){5,}[\pL\pM\pN_]*', '#', 'g'
);

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
