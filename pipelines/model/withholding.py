"""What stays of texts that may be held no longer: no more than may be published, and enough that no figure changes.

What may be published of a text is what rules and word lists know of it (`sql/model/public_texts.sql`). In place of the
first words left out stands a word made of them with the account's key: texts which differed still differ, and the same
text becomes the same again at the next sync. Where that would be judged otherwise, as with a code that is a number, all
words stay that the rules know and that are in no name; else, for the few of which that is not enough, the example of
the rule that decided.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pipelines.land.erased_people import LEFT_OUT, Kept, Said, keyed_hash
from pipelines.model import building
from pipelines.model.judging import Text, judged
from pipelines.model.phrases import UNSPACED, literals, plain_words
from pipelines.model.rules import RuleBook, load_rules
from pipelines.model.sql_models import load_models

_REFERENCE = re.compile(r"\[ref [0-9a-f]{12}\]")
_PUBLIC_REFERENCE = "[ref #]"
_PIECES = re.compile(r"[^\W_]+|[\W_]+")
# Letters that make no word which a rule knows, and no number, which would be masked.
_AS_LETTERS = str.maketrans("0123456789abcdef", "ghjkmnpqrtvwxyzb")
_TOKEN_LENGTH = 12
_WORD = "xx"
_JUDGED = """
select
    texts.name,
    texts.description,
    texts.is_problem,
    [
        kind, failure_reason, rule_priority::varchar, outcome_rule_priority::varchar, payment_method,
        is_manual::varchar, is_understood::varchar,
        (regexp_extract(texts.description, '^\\s*([^:]{1,20}):', 1) = '')::varchar
    ],
    coalesce(titles.public_text, ''),
    coalesce(descriptions.public_text, ''),
from model.entry_texts as texts
left join model.public_texts as titles on mask_numbers(texts.name) = titles.masked_text
left join model.public_texts as descriptions on texts.masked_description = descriptions.masked_text
"""
_PATTERNS = """
select mask_words(mask_numbers(wording_of(text)), name_words(people))
from (select unnest($texts) as text, unnest($people) as people)
"""


@dataclass(frozen=True)
class _Judged:
    """What a text is taken for, and what of it may be published."""

    verdict: list[str | None]
    public_name: str
    public_description: str


def withhold(key: str, texts: Collection[Said], book: RuleBook | None = None) -> Mapping[Said, Kept]:
    """What may stay of each text, by the account's key. Each is judged as it was, so no figure changes by it."""
    book = book or load_rules()
    texts = list(texts)
    patterns = dict(zip(texts, _patterns(book, texts), strict=True))
    before = _judge(book, (_text(said) for said in texts))
    kept: dict[Said, Text] = {}
    left = texts
    for candidates in (_public, _known, _example):
        if not left:
            break
        proposed = candidates(key, book, {said: before[_text(said)] for said in left}, patterns)
        after = _judge(book, proposed.values())
        fits = {said for said in left if after[proposed[said]].verdict == before[_text(said)].verdict}
        kept |= {said: proposed[said] for said in (left if candidates is _example else fits)}
        left = [said for said in left if said not in fits]
    return {said: (said.name and kept[said][0], said.description and kept[said][1]) for said in texts}


def _text(said: Said) -> Text:
    return said.name or "", said.description or "", said.is_problem


def _judge(book: RuleBook, texts: Iterable[Text]) -> dict[Text, _Judged]:
    # What decides an entry of ours is its reference, which stays; a typed one decides nothing.
    with judged(book, texts, ours=False) as connection:
        building.build(connection, next(model for model in load_models() if model.name == "public_texts"))
        return {row[:3]: _Judged(*row[3:]) for row in connection.execute(_JUDGED).fetchall()}


def _patterns(book: RuleBook, texts: list[Said]) -> list[str]:
    """How the texts look without numbers and names: entries with the same pattern are reports of one form."""
    with judged(book, []) as connection:
        given = {"texts": [said.description or "" for said in texts], "people": [said.people for said in texts]}
        return [pattern for (pattern,) in connection.execute(_PATTERNS, given).fetchall()]


def _public(key: str, _book: RuleBook, found: Mapping[Said, _Judged], patterns: Mapping[Said, str]) -> dict[Said, Text]:
    return {
        said: _marked(key, said, one.public_name, one.public_description, patterns[said]) for said, one in found.items()
    }


def _known(key: str, book: RuleBook, found: Mapping[Said, _Judged], patterns: Mapping[Said, str]) -> dict[Said, Text]:
    """All words that the rules know, but for those of people's names; each other one is still a word."""
    examples = [each for word in book.words for each in (word.phrase, word.example)]
    examples += [each for rule in book.rules for each in (rule.example_name, rule.example_description)]
    pieces = [piece for said in found for text in said[:2] for piece in _PIECES.findall(text or "")]
    plain = plain_words(sorted({*examples, *pieces}))
    known = {word for example in examples for word in plain[example].split()}
    unspaced = {each for word in book.words for each in literals(word.phrase) if UNSPACED.search(each)}
    parts = re.compile("|".join(sorted(map(re.escape, unspaced), key=len, reverse=True)))

    def shown(text: str | None, names: set[str]) -> str:
        return "".join(_shown(piece, names) for piece in _PIECES.findall(text or ""))

    def _shown(piece: str, names: set[str]) -> str:
        if not re.search(r"[^\W_]", piece):
            return piece
        if piece.lower() not in names and known.issuperset(plain[piece].split()):
            return piece
        if UNSPACED.search(piece):
            return " ".join([*parts.findall(piece), LEFT_OUT])
        return "#" if re.search(r"\d", piece) else LEFT_OUT

    held = {}
    for said in found:
        names = set(_PIECES.findall(said.people.lower()))
        name, description, _ = _marked(
            key, said, shown(said.name, names), shown(said.description, names), patterns[said]
        )
        held[said] = (name.replace(LEFT_OUT, _WORD), description.replace(LEFT_OUT, _WORD), said.is_problem)
    return held


def _example(key: str, book: RuleBook, found: Mapping[Said, _Judged], patterns: Mapping[Said, str]) -> dict[Said, Text]:
    """The example of the rule that decided, and of the reason where there is one."""
    rules = {str(rule.priority): rule for rule in book.rules}
    reasons = {str(word.rule_priority): word.example for word in book.words}
    held = {}
    for said, one in found.items():
        rule, reason = rules[one.verdict[3] or ""], reasons.get(one.verdict[2] or "")
        parts = [rule.example_description, reason, _token(key, patterns[said])]
        held[said] = (rule.example_name, " ".join(filter(None, parts)), said.is_problem)
    return held


def _marked(key: str, said: Said, name: str, description: str, pattern: str) -> Text:
    name = name.replace(LEFT_OUT, _token(key, said.name), 1)
    description = description.replace(LEFT_OUT, _token(key, pattern), 1)
    for reference in _REFERENCE.findall(said.description or ""):  # a code of this program's own
        if _PUBLIC_REFERENCE in description:
            description = description.replace(_PUBLIC_REFERENCE, reference, 1)
        elif reference not in description:
            description += f" {reference}"
    return name, description, said.is_problem


def _token(key: str, value: object) -> str:
    return keyed_hash(key, value)[:_TOKEN_LENGTH].translate(_AS_LETTERS)
