"""What an analyst says in `sql/rules` about the meaning of entries: read, proved, stored.

`entry_rules.csv` holds patterns of one's own, which decide before all else; `evidence.csv` the order in which what an
entry states decides its kind; `words/` the words by which it states that; `reasons.csv` and `codes/` why payments fail.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import duckdb
import polars as pl

from pipelines.foundation.frames import readable
from pipelines.model.phrases import BrokenPhraseError, literals, pattern, plain_words
from pipelines.model.rule_files import Line, Once, lines, refused, rule_file, rule_files

RULES_TABLE, WORDS_TABLE = "model.entry_rules", "model.entry_words"
KINDS = (
    "payment_succeeded",
    "payment_failed",
    "payment_pending",
    "mandate_requested",
    "invoice_sent",
    "einvoice_succeeded",
    "einvoice_failed",
    "refund",
    "chargeback",
    "own_record",
    "other_problem",
    "other",
)
REASONS = (
    "insufficient_funds",
    "no_payment_method",
    "mandate_revoked",
    "over_limit",
    "card_declined",
    "card_expired",
    "authentication_required",
    "provider_error",
    "unknown",
)
DECLINE_TYPES = ("try_again_later", "customer_must_act", "no_payment_method", "provider_fault", "unknown")
SUBJECTS = ("einvoice", "reminder", "note", "chargeback", "settlement", "refund", "sent", "mandate")
OUTCOMES = ("success", "failure", "pending")
ASIDES = ("negation", "not_yet", "condition", "earlier", "but", "trouble")
WAYS_TO_PAY = ("card", "direct_debit", "by_hand", "other_method")
LISTS = (*SUBJECTS, *OUTCOMES, "payment", *ASIDES, *WAYS_TO_PAY)
PLACES = ("prefix", "name", "text")
SAYS = {
    "prefix_says": (*OUTCOMES, "nothing"),
    "name_says": (*SUBJECTS, *OUTCOMES, "payment", "nothing", "unknown"),
    "text_says": (*SUBJECTS, *OUTCOMES, "einvoice_failure", "reason", "error", "payment", "nothing"),
}
OWN, EVIDENCE, REASON = 0, 1000, 2000
_BAND = 1000
_OWN_COLUMNS = [
    "priority",
    "rule_name",
    "name_pattern",
    "description_pattern",
    "is_problem",
    "kind",
    "failure_reason",
    "example_name",
    "example_description",
]
_EVIDENCE_COLUMNS = ["priority", "rule_name", *SAYS, "is_problem", "kind", "is_understood"]
_EVIDENCE_COLUMNS += ["example_name", "example_description"]
_REASON_COLUMNS = ["priority", "rule_name", "failure_reason", "decline_type", "next_step"]


@dataclass(frozen=True)
class Rule:
    """A line that decides. Of the rules that fit, the smallest priority does; what is empty fits all.

    Below 1000 are one's own patterns, from 1000 on the order of evidence, from 2000 on the reasons of failed payments.
    """

    priority: int
    rule_name: str
    name_pattern: str = ""
    description_pattern: str = ""
    prefix_says: str = ""
    name_says: str = ""
    text_says: str = ""
    is_problem: bool | None = None
    kind: str = "payment_failed"
    failure_reason: str | None = None
    decline_type: str | None = None
    next_step: str | None = None
    is_understood: bool = True
    example_name: str = ""
    example_description: str = ""


@dataclass(frozen=True)
class Word:
    """A phrase of a word list, or, with `rule_priority`, one by which a reason is known. `place` is where it counts."""

    list_name: str
    rule_priority: int | None
    source: str
    place: str
    phrase: str
    pattern: str
    example: str
    file_line: str


@dataclass(frozen=True)
class RuleBook:
    """All that decides what entries mean."""

    rules: tuple[Rule, ...]
    words: tuple[Word, ...]

    @cached_property
    def version(self) -> str:
        """Checksum of all that decides: 12 hexadecimal digits, the same for the same rules in any order or layout."""
        rules = sorted(astuple(replace(rule, example_name="", example_description="")) for rule in self.rules)
        words = sorted((word.list_name, word.rule_priority or 0, word.place, word.pattern) for word in self.words)
        return hashlib.sha256(repr((rules, words)).encode()).hexdigest()[:12]


RULE_SCHEMA = {
    "priority": pl.Int32,
    **dict.fromkeys(("rule_name", "name_pattern", "description_pattern", *SAYS), pl.String),
    "is_problem": pl.Boolean,
    **dict.fromkeys(("kind", "failure_reason", "decline_type", "next_step"), pl.String),
    "is_understood": pl.Boolean,
    **dict.fromkeys(("example_name", "example_description"), pl.String),
}
WORD_SCHEMA = {
    "list_name": pl.String,
    "rule_priority": pl.Int32,
    **dict.fromkeys(("source", "place", "phrase", "pattern", "example", "file_line"), pl.String),
}


def load_rules(folder: Path | None = None) -> RuleBook:
    """The program's rules; a file in `folder` stands in for the program's own of that name.

    Raises WrongUseError naming file, line and reason for the first line that is broken. The same files are read once.
    """
    files = [rule_file(name, folder) for name in ("entry_rules.csv", "evidence.csv", "reasons.csv")]
    files += [*rule_files("words", folder), *rule_files("codes", folder)]
    return _load(folder, tuple((file, _content(file)) for file in files))


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:  # reading its lines says what is wrong
        return None


@lru_cache(maxsize=2)
def _load(folder: Path | None, _contents: tuple[tuple[Path, bytes | None], ...]) -> RuleBook:
    own = list(_own_rules(rule_file("entry_rules.csv", folder)))
    evidence = list(_evidence(path := rule_file("evidence.csv", folder)))
    last = max(evidence, key=lambda rule: rule.priority, default=None)
    if last is None or last.prefix_says or last.name_says or last.text_says or last.is_problem is not None:
        raise refused(path, 1, "the rule with the largest priority must fit every entry, so that each gets a kind")
    reasons = list(_reasons(rule_file("reasons.csv", folder)))
    rules = tuple(sorted([*own, *evidence, *reasons], key=lambda rule: rule.priority))
    words = [*_listed_words(folder), *_codes(folder, {rule.rule_name: rule for rule in reasons})]
    return RuleBook(rules, tuple(_compiled(words)))


def store_rules(connection: duckdb.DuckDBPyConnection, book: RuleBook) -> int:
    """Replaces `model.entry_rules` and `model.entry_words`; returns the number of rules."""
    rules = pl.DataFrame([vars(rule) for rule in book.rules], schema=RULE_SCHEMA)
    words = pl.DataFrame([vars(word) for word in book.words], schema=WORD_SCHEMA)
    with readable(connection, new_rules=rules, new_words=words):
        connection.execute(
            f"create or replace table {RULES_TABLE} as"  # noqa: S608 - our own names only
            f" select *, '{book.version}' as rules_version from new_rules order by priority"
        )
        connection.execute(f"create or replace table {WORDS_TABLE} as select * from new_words")  # noqa: S608 - as above
    return len(rules)


def stored_rules(connection: duckdb.DuckDBPyConnection) -> RuleBook:
    """The rules that `store_rules` stored."""
    rules = connection.execute(f"select {', '.join(RULE_SCHEMA)} from {RULES_TABLE} order by priority")  # noqa: S608 - our own names only
    found = tuple(Rule(*row) for row in rules.fetchall())
    words = connection.execute(f"select {', '.join(WORD_SCHEMA)} from {WORDS_TABLE} order by all")  # noqa: S608 - our own names only
    return RuleBook(found, tuple(Word(*row) for row in words.fetchall()))


def _own_rules(path: Path) -> Iterator[Rule]:
    priorities, names = Once("priority"), Once("rule_name")
    for line in lines(path, _OWN_COLUMNS):
        priorities.take(line)
        names.take(line)
        if not (line["name_pattern"] or line["description_pattern"] or line["is_problem"]):
            raise line.refused("the rule fits every entry; give it a pattern")
        for column in ("name_pattern", "description_pattern"):
            _prove_pattern(line, column)
        reason = line["failure_reason"] or None
        kind = line.choice("kind", KINDS)
        if (kind == "payment_failed") != (reason in REASONS) or (reason and reason not in REASONS):
            raise line.refused(_wrong_reason(kind, reason))
        yield Rule(
            _priority(line, OWN),
            _name(line),
            name_pattern=line["name_pattern"],
            description_pattern=line["description_pattern"],
            is_problem=line.flag("is_problem"),
            kind=kind,
            failure_reason=reason,
            decline_type=reason and "unknown",
            example_name=line["example_name"],
            example_description=line["example_description"],
        )


def _evidence(path: Path) -> Iterator[Rule]:
    priorities, names = Once("priority"), Once("rule_name")
    for line in lines(path, _EVIDENCE_COLUMNS):
        priorities.take(line)
        names.take(line)
        for column, known in SAYS.items():
            for said in line[column].removeprefix("!").split("|") if line[column] else ():
                if said not in known:
                    raise line.refused(f"{column} {said!r} is unknown; write one of {', '.join(known)}")
        yield Rule(
            _priority(line, EVIDENCE),
            _name(line),
            prefix_says=line["prefix_says"],
            name_says=line["name_says"],
            text_says=line["text_says"],
            is_problem=line.flag("is_problem"),
            kind=line.choice("kind", KINDS),
            is_understood=line.flag("is_understood") is not False,
            example_name=line["example_name"],
            example_description=line["example_description"],
        )


def _reasons(path: Path) -> Iterator[Rule]:
    priorities, names = Once("priority"), Once("rule_name")
    for line in lines(path, _REASON_COLUMNS):
        priorities.take(line)
        names.take(line)
        yield Rule(
            _priority(line, REASON),
            _name(line),
            failure_reason=line.choice("failure_reason", REASONS),
            decline_type=line.choice("decline_type", DECLINE_TYPES),
            next_step=line["next_step"],
        )


def _listed_words(folder: Path | None) -> Iterator[tuple[Line, Word]]:
    for path in rule_files("words", folder):
        for line in lines(path, ["language", "place", "phrase", "example"]):
            if path.stem not in LISTS:
                raise line.refused(f"there is no list of this name; name the file after one of {', '.join(LISTS)}")
            yield line, _word(line, path.stem, None, line["language"], line.choice("place", PLACES))


def _codes(folder: Path | None, reasons: dict[str, Rule]) -> Iterator[tuple[Line, Word]]:
    for path in rule_files("codes", folder):
        for line in lines(path, ["rule_name", "phrase", "example"]):
            rule = reasons[line.choice("rule_name", tuple(reasons))]
            yield line, _word(line, "reason", rule.priority, path.stem, "text")


def _word(line: Line, list_name: str, priority: int | None, source: str, place: str) -> Word:
    if not line["example"]:
        raise line.refused("the phrase has no example; write a text in which it stands")
    at = f"{line.path.parent.name}/{line.path.name}:{line.number}"
    return Word(list_name, priority, source, place, line["phrase"], "", line["example"], at)


def _compiled(words: list[tuple[Line, Word]]) -> Iterator[Word]:
    plain = plain_words(sorted({each for _, word in words for each in literals(word.phrase)}))
    for line, word in words:
        try:
            yield replace(word, pattern=pattern(word.phrase, plain))
        except BrokenPhraseError as error:
            raise line.refused(f"phrase {word.phrase!r} cannot be used: {error}") from None


def _priority(line: Line, band: int) -> int:
    return band + line.whole_number("priority", _BAND)


def _name(line: Line) -> str:
    if not line["rule_name"]:
        raise line.refused("the rule has no name")
    return line["rule_name"]


def _prove_pattern(line: Line, column: str) -> None:
    try:
        with duckdb.default_connection().cursor() as connection:
            connection.execute("select regexp_matches('', ?)", [line[column]]).fetchall()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise line.refused(f"{column} {line[column]!r} is no RE2 pattern ({reason})") from None


def _wrong_reason(kind: str, reason: str | None) -> str:
    if kind == "payment_failed":
        return f"unknown failure_reason {reason!r} of a failed payment; write one of {', '.join(REASONS)}"
    return f"only payment_failed has a failure_reason, {kind} must leave it empty"
