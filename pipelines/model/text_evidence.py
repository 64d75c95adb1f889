"""Why a text means what it does by given rules: the phrases found in it, the rule that decides, those passed over."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.model.judging import Text, Verdict, judged, verdicts
from pipelines.model.rules import EVIDENCE, REASON, SAYS, Rule, RuleBook

# A phrase for the word before the text counts as a whole, every other one wherever it stands.
_PHRASES = """
with
texts as (
    select
        plain_words(wording_of(coalesce(name, ''))) as title,
        plain_words(coalesce(wording_of(description), '')) as words,
        list_append(
            list_transform(string_split_regex(words, '[.:]')[:2], lambda part: ' ' || trim(part) || ' '), title
        ) as labels,
    from model.entry_texts
),
places as (
    select 'prefix' as place, unnest(labels) as words from texts
    union all
    select unnest(['name', 'text']) as place, title as words from texts
    union all
    select 'text' as place, words from texts
)
select
    entry_words.list_name,
    entry_words.rule_priority,
    min(trim(regexp_extract(places.words, entry_words.pattern), ' .:#')) as found,
    entry_words.file_line
from model.entry_words as entry_words
inner join places on entry_words.place = places.place
where
    regexp_matches(
        places.words,
        if(entry_words.place = 'prefix', '^ ?(?:' || entry_words.pattern || ') ?$', entry_words.pattern)
    )
group by all
order by entry_words.rule_priority nulls first, entry_words.list_name, entry_words.file_line
"""


@dataclass(frozen=True)
class FoundPhrase:
    """Words of the text that a phrase fits, and what it says: the name of a word list or of a reason's rule."""

    says: str
    words: str
    file_line: str


@dataclass(frozen=True)
class TextEvidence:
    """What a text is, and why.

    `passed_over` are rules before the deciding one that a single condition kept out: the text has the words that they
    ask for, but does not state it. `also_fit` come after the rules that decided.
    """

    verdict: Verdict
    decided_by: Rule
    reason_by: Rule | None
    phrases: tuple[FoundPhrase, ...]
    passed_over: tuple[tuple[Rule, str], ...]
    also_fit: tuple[Rule, ...]


def text_evidence(book: RuleBook, text: Text) -> TextEvidence:
    """What decides about one text (title, description, problem flag)."""
    with judged(book, [text]) as connection:
        verdict = verdicts(connection)[text]
        found = connection.execute(_PHRASES).fetchall()
    rules = {rule.priority: rule for rule in book.rules}
    outcomes = {rule.rule_name: rule for rule in book.rules if rule.priority < REASON}
    reasons = {rule.rule_name: rule for rule in book.rules if rule.priority >= REASON}
    decided_by, reason_by = outcomes[verdict.outcome_rule_name], reasons.get(verdict.rule_name)
    evidence = [rule for rule in book.rules if EVIDENCE <= rule.priority < REASON]
    mentioned = {name for name, *_ in found} | {"error" for _, priority, *_ in found if priority in _errors(book)}
    later = [rule for rule in evidence[:-1] if rule.priority > decided_by.priority]
    other_reasons = dict.fromkeys(rules[priority] for _, priority, *_ in found if priority and reason_by)
    return TextEvidence(
        verdict,
        decided_by,
        reason_by,
        tuple(
            FoundPhrase(name if priority is None else rules[priority].rule_name, *at) for name, priority, *at in found
        ),
        tuple(
            _passed_over([rule for rule in evidence if rule.priority < decided_by.priority], verdict, text, mentioned)
        ),
        (
            *(rule for rule in later if not list(_misses(rule, verdict, text))),
            *(rule for rule in other_reasons if rule is not reason_by),
        ),
    )


def _errors(book: RuleBook) -> set[int]:
    return {rule.priority for rule in book.rules if rule.rule_name == "program_error"}


def _passed_over(earlier: list[Rule], verdict: Verdict, text: Text, mentioned: set[str]) -> Iterator[tuple[Rule, str]]:
    for rule in earlier:
        misses = list(_misses(rule, verdict, text))
        if len(misses) == 1 and (not misses[0][0] or misses[0][0] & mentioned):
            yield rule, misses[0][1]


def _misses(rule: Rule, verdict: Verdict, text: Text) -> Iterator[tuple[set[str], str]]:
    """What keeps a rule of the order of evidence out: what it wants said (nothing for the flag), and the sentence."""
    for column, place in zip(SAYS, ("prefix", "title", "text"), strict=True):
        asked, said = getattr(rule, column), getattr(verdict, column)
        wanted = asked.removeprefix("!").replace("|", " or ")
        if asked.startswith("!") and said in asked[1:].split("|"):
            yield set(), f"its {place} states {said}"
        elif asked and not asked.startswith("!") and said not in asked.split("|"):
            yield set(asked.split("|")), f"its {place} states {said}, not {wanted}"
    if rule.is_problem is not None and rule.is_problem != text[2]:
        yield set(), "it is flagged" if text[2] else "it is not flagged"
