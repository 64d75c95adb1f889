"""Whether each rule and each phrase of `sql/rules` decides the example that stands beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.model.judging import Text, Verdict, judge
from pipelines.model.phrases import plain_words
from pipelines.model.rules import OUTCOMES, REASON, SUBJECTS, Rule, RuleBook, Word

_RESULT = "Payment Result"
_ANY_TITLE = "Update"  # a note or a reminder need not be below the title of a payment


@dataclass(frozen=True)
class WrongExample:
    """A line whose example is decided otherwise than the line says."""

    line: str
    example: str
    expected: str
    found: str

    def __str__(self) -> str:
        """The line and what is wrong with it, as a sentence."""
        return f"{self.line}: the example {self.example!r} should be {self.expected}, not {self.found}"


def wrong_examples(book: RuleBook) -> Iterator[WrongExample]:
    """The lines whose example they do not decide, judging all examples at once."""
    rules = [rule for rule in book.rules if rule.priority < REASON]
    verdicts = judge(book, [*map(_of_rule, rules), *map(_of_word, book.words)])
    for rule in rules:
        decided = verdicts[_of_rule(rule)].outcome_rule_name
        if decided != rule.rule_name:
            yield WrongExample(f"rule {rule.rule_name}", rule.example_description, rule.rule_name, decided)
    reasons = {rule.priority: rule.failure_reason for rule in book.rules}
    plain = plain_words(sorted({word.example for word in book.words}))
    for word in book.words:
        if word.place != "prefix" and not re.search(word.pattern, f" {plain[word.example]} "):
            yield WrongExample(word.file_line, word.example, f"a text with {word.phrase!r}", "one without it")
        expected = reasons[word.rule_priority] if word.rule_priority else word.list_name
        found = _found(word, verdicts[_of_word(word)])
        if found != expected:
            yield WrongExample(word.file_line, word.example, str(expected), str(found))


def _of_rule(rule: Rule) -> Text:
    return rule.example_name, rule.example_description, bool(rule.is_problem)


def _of_word(word: Word) -> Text:
    if word.list_name == "reason":
        return _RESULT, f"FAILED: {word.example}", True
    if word.place == "name":
        return word.example, "", False
    return (_ANY_TITLE if word.place == "text" and word.list_name in SUBJECTS else _RESULT), word.example, False


def _found(word: Word, verdict: Verdict) -> str | None:
    """What the example is found to say, where the phrase's list is one of those that say something by themselves."""
    if word.list_name == "reason":
        return verdict.failure_reason
    if word.list_name not in {*SUBJECTS, *OUTCOMES, "payment"}:
        return word.list_name
    if word.place == "prefix" and word.list_name in OUTCOMES:
        return verdict.prefix_says
    said = verdict.text_says if word.place == "text" else verdict.name_says
    return "einvoice" if said == "einvoice_failure" else said
