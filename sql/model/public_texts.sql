-- One row per distinct title, and per distinct description without its numbers and addresses: what may be published of
-- it while personal data is not. A word is shown only where the examples of the rules have it beside the same neighbour
-- in a clause, or as a clause by itself; all else is `…`. So no list of names is needed, in any language or script.
--
-- columns
--   masked_text    Title or description as `mask_numbers` leaves it
--   public_text    What may be published of it
-- promises
--   unique: masked_text
--   not null: masked_text, public_text
-- personal
--   masked_text: public_text
with

rules as (select * from model.entry_rules),

phrases as (select * from model.entry_words),

landed as (
    select unnest([mask_numbers(name), masked_description]) as wording
    from model.entry_texts
),

examples as (
    select unnest([mask_numbers(example_name), mask_numbers(example_description)]) as wording
    from rules
    union all
    select mask_numbers(example) as wording
    from phrases
),

landed_and_examples as (
    select
        wording,
        false as is_example,
    from landed
    union all
    select
        wording,
        true as is_example,
    from examples
),

texts as (
    select
        wording,
        bool_or(is_example) as is_example,
    from landed_and_examples
    where wording is not null
    group by wording
),

pieces as (
    select
        wording,
        is_example,
        unnest(regexp_extract_all(wording, '[\pL\pM]+|#|[^\pL\pM#]+')) as piece,
        generate_subscripts(regexp_extract_all(wording, '[\pL\pM]+|#|[^\pL\pM#]+'), 1) as piece_number,
    from texts
),

-- A clause ends at these signs; blanks, hyphens and apostrophes only part its words.
placed as (
    select
        *,
        lower(strip_accents(piece)) as word,
        regexp_matches(piece, '[\pL\pM#]') as is_word,
        count_if(regexp_matches(piece, '[.,:;!?…()\[\]{}<>|"\n]'))
            over (partition by wording order by piece_number) as clause,
    from pieces
),

words as (
    select
        *,
        lag(word) over clauses as word_before,
        lead(word) over clauses as word_after,
    from placed
    where is_word
    window clauses as (partition by wording, clause order by piece_number)
),

known as (
    select distinct
        word,
        word_before as neighbour,
        true as is_before,
    from words
    where is_example
    union
    select distinct
        word,
        word_after as neighbour,
        false as is_before,
    from words
    where is_example
),

alone as (
    select distinct word from words
    where is_example and word_before is null and word_after is null
),

shown as (
    select
        words.wording,
        words.piece_number,
        words.word = '#'
        or known_before.word is not null
        or known_after.word is not null
        or alone.word is not null as is_shown,
    from words
    left join known as known_before
        on
            words.word = known_before.word
            and words.word_before = known_before.neighbour
            and known_before.is_before
    left join known as known_after
        on
            words.word = known_after.word
            and words.word_after = known_after.neighbour
            and not known_after.is_before
    left join alone
        on words.word = alone.word and words.word_before is null and words.word_after is null
),

put_together as (
    select
        placed.wording,
        string_agg(
            case
                when not placed.is_word then regexp_replace(placed.piece, '[^ -~…]+', ' ', 'g')
                when shown.is_shown then placed.piece
                else '…'
            end,
            ''
            order by placed.piece_number
        ) as public_text,
    from placed
    left join shown on placed.wording = shown.wording and placed.piece_number = shown.piece_number
    group by placed.wording
),

public_texts as (
    select
        texts.wording as masked_text,
        coalesce(
            regexp_replace(put_together.public_text, '…(?:[^\pL…]*…)+', '…', 'g'), ''
        ) as public_text,
    from texts
    left join put_together on texts.wording = put_together.wording
    where texts.wording in (select landed.wording from landed)
)

select * from public_texts
