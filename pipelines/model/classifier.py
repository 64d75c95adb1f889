"""The rules as DuckDB macros, with which `sql/model/entry_texts.sql` judges each wording once.

Macros rather than a join with the rules: DuckDB compiles a pattern once where it is a constant, and for each row and
rule where it comes from a table.
"""

from collections.abc import Callable, Iterable

import duckdb

from pipelines.foundation.duckdb_errors import quoted
from pipelines.model.rules import EVIDENCE, LISTS, OUTCOMES, REASON, SAYS, SUBJECTS, Rule, RuleBook, stored_rules

MARK = "evidence_priority("  # SQL that calls this macro needs the others as well
_OPTIONS = "is"  # any case; and a dot spans lines, for descriptions have several
# What a title is about goes before the outcome that it mentions: "Reminder: payment failed" is a reminder.
_NAME_ORDER = (*(name for name in SUBJECTS if name != "mandate"), "failure", "success", "mandate", "pending", "payment")
_MADE: dict[str, list[str]] = {}


def create_classifier(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the macros from the stored rules."""
    ((version,),) = connection.execute("select any_value(rules_version) from model.entry_rules").fetchall()
    if version not in _MADE:  # of one version, for a process seldom meets a second
        _MADE.clear()
        made = _macros(stored_rules(connection))
        _MADE[version] = [f"create or replace temp macro {signature} as {body}" for signature, body in made]
    for statement in _MADE[version]:
        connection.execute(statement)


def _macros(book: RuleBook) -> Iterable[tuple[str, str]]:
    def patterns(name: str, *places: str) -> list[str]:
        return [word.pattern for word in book.words if word.list_name == name and word.place in places]

    for name in LISTS:
        yield f"says_{name}(words)", _matches("words", patterns(name, "text"))
        yield f"at_{name}(words, statement)", _position("words", patterns(name, "text"), "statement")
    yield "without_condition(words)", _without("words", patterns("condition", "text"), "*")
    yield "without_negation(words)", _without("words", patterns("negation", "text"), "{0,5}")
    yield "without_not_yet(words)", _without("words", patterns("not_yet", "text"), "{0,5}")
    yield (
        "label_says(words)",
        _first((name, _whole("words", patterns(name, "prefix"))) for name in (*SUBJECTS, *OUTCOMES)),
    )
    yield "title_says(words)", _first((name, _title(patterns, name)) for name in _NAME_ORDER)
    reasons = [rule for rule in book.rules if rule.priority >= REASON]
    program_error = next((rule.priority for rule in reasons if rule.rule_name == "program_error"), -1)
    yield "is_program_error(priority)", f"priority = {program_error}"
    phrases = {
        rule.priority: [word.pattern for word in book.words if word.rule_priority == rule.priority] for rule in reasons
    }
    yield "reason_priority(words)", _case((_matches("words", each), str(number)) for number, each in phrases.items())
    yield (
        "reason_at(words, priority)",
        _case((f"priority = {number}", _position("words", each, "words")) for number, each in phrases.items()),
    )
    own = [rule for rule in book.rules if rule.priority < EVIDENCE]
    evidence = [rule for rule in book.rules if EVIDENCE <= rule.priority < REASON]
    yield "own_priority(name, description, is_problem)", _case((_fits(rule), str(rule.priority)) for rule in own)
    signature = f"{MARK}prefix_says, name_says, text_says, is_problem)"
    yield signature, _case((_holds(rule), str(rule.priority)) for rule in evidence)


def _title(patterns: Callable[..., list[str]], name: str) -> str:
    return f"({_whole('words', patterns(name, 'prefix'))} or {_matches('words', patterns(name, 'name', 'text'))})"


def _case(branches: Iterable[tuple[str, str]]) -> str:
    cases = " ".join(f"when {condition} then {value}" for condition, value in branches)
    return f"case {cases} end" if cases else "null"


def _first(branches: Iterable[tuple[str, str]]) -> str:
    return _case((condition, f"'{name}'") for name, condition in branches)


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(sorted(set(patterns)))


def _matches(column: str, patterns: list[str]) -> str:
    # Not regexp_matches: its planning looks for a range that all matches lie in, which for long patterns takes longer
    # than reading a hundred thousand texts. No pattern matches an empty text.
    return f"regexp_extract({column}, {quoted(_any_of(patterns))}) <> ''" if patterns else "false"


def _whole(column: str, patterns: list[str]) -> str:
    return _matches(column, [f"^ ?(?:{_any_of(patterns)}) ?$"] if patterns else [])


def _position(column: str, patterns: list[str], whole: str) -> str:
    """Where in `whole` stands what is found first in `column`."""
    if not patterns:
        return "null::bigint"
    found = f"regexp_extract({column}, {quoted(_any_of(patterns))})"
    return f"strpos({whole}, nullif({found}, ''))"


def _without(column: str, patterns: list[str], words: str) -> str:
    """The words without what such a phrase begins: a number of words after it, at most to the end of the clause."""
    cut = f"(?:{_any_of(patterns)})(?:[^ .]+ ){words}"
    return f"regexp_replace({column}, {quoted(cut)}, ' . ', 'g')" if patterns else column


def _fits(rule: Rule) -> str:
    tests = [
        f"regexp_matches({column}, {quoted(pattern)}, '{_OPTIONS}')"
        for column, pattern in (("name", rule.name_pattern), ("description", rule.description_pattern))
        if pattern
    ]
    return " and ".join(tests + _flagged(rule))


def _holds(rule: Rule) -> str:
    tests = [_said(column, getattr(rule, column)) for column in SAYS if getattr(rule, column)]
    return " and ".join(tests + _flagged(rule)) or "true"


def _said(column: str, values: str) -> str:
    listed = ", ".join(quoted(value) for value in values.removeprefix("!").split("|"))
    return f"{column} {'not ' if values.startswith('!') else ''}in ({listed})"


def _flagged(rule: Rule) -> list[str]:
    return [] if rule.is_problem is None else ["is_problem" if rule.is_problem else "not is_problem"]
