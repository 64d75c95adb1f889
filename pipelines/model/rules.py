"""`sql/rules/entry_rules.csv`, by which an analyst says what an entry means: read, proved, stored, turned into SQL."""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import duckdb
import polars as pl

from pipelines.errors import WrongUseError
from pipelines.foundation.frames import readable
from pipelines.foundation.sql_files import sql_folder

TABLE = "model.entry_rules"
CLASSIFIER = "deciding_priority"
KINDS = (
    "payment_succeeded",
    "payment_failed",
    "payment_pending",
    "mandate_requested",
    "invoice_sent",
    "einvoice_succeeded",
    "einvoice_failed",
    "refund",
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
_RULES_A_GATE = 10
_OPTIONS = "is"  # any case; and a dot spans lines, for descriptions have several


@dataclass(frozen=True)
class Rule:
    """One line of the file. Of the rules that fit, the smallest priority decides. What is empty fits all."""

    priority: int
    rule_name: str
    name_pattern: str
    description_pattern: str
    is_problem: bool | None
    kind: str
    failure_reason: str | None
    example_name: str
    example_description: str


SCHEMA = {
    "priority": pl.Int32,
    "rule_name": pl.String,
    "name_pattern": pl.String,
    "description_pattern": pl.String,
    "is_problem": pl.Boolean,
    "kind": pl.String,
    "failure_reason": pl.String,
    "example_name": pl.String,
    "example_description": pl.String,
}
HEADER = list(SCHEMA)


def load_rules(path: Path | None = None) -> list[Rule]:
    """The rules by priority. Raises WrongUseError naming file, line and reason for the first that is broken."""
    path = path or sql_folder("rules") / "entry_rules.csv"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUseError(f"{path}: cannot be read ({error}); the rules file must be UTF-8 text.") from None
    try:
        return sorted(_read(text), key=lambda rule: rule.priority)
    except _BrokenRuleError as error:
        raise WrongUseError(f"{path}:{error.line}: {error.reason}. The last good figures stay as they are.") from None


def rules_version(rules: list[Rule]) -> str:
    """Checksum of all that decides: 12 hexadecimal digits, the same for the same rules in any order or layout."""
    deciding = [astuple(rule)[: HEADER.index("example_name")] for rule in sorted(rules, key=lambda rule: rule.priority)]
    return hashlib.sha256(repr(deciding).encode()).hexdigest()[:12]


def store_rules(connection: duckdb.DuckDBPyConnection, rules: list[Rule]) -> int:
    """Replaces `model.entry_rules` (the file's columns and `rules_version`); returns the number of rules."""
    rows = pl.DataFrame([asdict(rule) for rule in rules], schema=SCHEMA)
    with readable(connection, new_rules=rows):
        connection.execute(
            f"create or replace table {TABLE} as"  # noqa: S608 - our own names only
            f" select *, '{rules_version(rules)}' as rules_version from new_rules order by priority"
        )
    return len(rules)


def stored_rules(connection: duckdb.DuckDBPyConnection) -> list[Rule]:
    """The rules in `model.entry_rules`, by priority."""
    query = f"select {', '.join(HEADER)} from {TABLE} order by priority"  # noqa: S608 - our own names only
    return [Rule(*row) for row in connection.execute(query).fetchall()]


def create_classifier(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the macro `deciding_priority(name, description, is_problem)` from the stored rules.

    A macro rather than a join with the rules: DuckDB compiles a pattern once where it is a constant, and for each row
    and rule where it comes from a table. Rules are gated in tens by one pattern that fits whatever any of them fits, so
    that an entry tries about a dozen patterns instead of all.
    """
    gates = ",\n".join(_gate(batch) for batch in _batches(stored_rules(connection)))
    connection.execute(
        f"create or replace temp macro {CLASSIFIER}(name, description, is_problem) as coalesce({gates}, null)"
    )


def _batches(rules: list[Rule]) -> Iterator[list[Rule]]:
    for start in range(0, len(rules), _RULES_A_GATE):
        yield rules[start : start + _RULES_A_GATE]


def _gate(rules: list[Rule]) -> str:
    cases = " ".join(f"when {_condition(rule)} then {rule.priority}" for rule in rules)
    by_text = [rule.description_pattern for rule in rules if rule.description_pattern]
    by_name = [rule.name_pattern for rule in rules if rule.name_pattern and not rule.description_pattern]
    gate = " or ".join(
        _fits(column, "|".join(f"(?:{pattern})" for pattern in patterns))
        for column, patterns in (("name", by_name), ("description", by_text))
        if patterns
    )
    return (
        f"case when {gate} then case {cases} end end"
        if len(by_text) + len(by_name) == len(rules)
        else f"case {cases} end"
    )


def _condition(rule: Rule) -> str:
    tests = [
        _fits(column, pattern)
        for column, pattern in (("name", rule.name_pattern), ("description", rule.description_pattern))
        if pattern
    ]
    if rule.is_problem is not None:
        tests.append("is_problem" if rule.is_problem else "not is_problem")
    return " and ".join(tests)


def _fits(column: str, pattern: str) -> str:
    quoted = pattern.replace("'", "''")
    return f"regexp_matches({column}, '{quoted}', '{_OPTIONS}')"


class _BrokenRuleError(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason = line, reason


def _read(text: str) -> list[Rule]:
    reader = csv.reader(io.StringIO(text), strict=True)
    rules: dict[int, Rule] = {}
    try:
        if (header := next(reader, [])) != HEADER:
            raise _BrokenRuleError(1, f"the header must read {','.join(HEADER)}, not {','.join(header)!r}")
        for cells in reader:
            if cells:
                rules[reader.line_num] = _rule(reader.line_num, cells)
    except csv.Error as error:
        raise _BrokenRuleError(reader.line_num, f"not a line of CSV ({error})") from None
    if not rules:
        raise _BrokenRuleError(1, "there is no rule in the file")
    _prove_priorities(rules)
    _prove_patterns(rules)
    return list(rules.values())


def _rule(line: int, cells: list[str]) -> Rule:
    if len(cells) != len(HEADER):
        raise _BrokenRuleError(line, f"{len(cells)} cells where the header has {len(HEADER)}")
    raw = {name: cell if name.endswith("_pattern") else cell.strip() for name, cell in zip(HEADER, cells, strict=True)}
    if not raw["priority"].isdecimal() or int(raw["priority"]) > 2**31 - 1:
        raise _BrokenRuleError(line, f"priority {raw['priority']!r} is not a whole number from 0 up")
    if not raw["rule_name"]:
        raise _BrokenRuleError(line, "the rule has no name")
    flag = {"": None, "true": True, "false": False}.get(raw["is_problem"].lower(), "?")
    if flag == "?":
        raise _BrokenRuleError(line, f"is_problem {raw['is_problem']!r} is neither true, false nor empty")
    if raw["kind"] not in KINDS:
        raise _BrokenRuleError(line, f"unknown kind {raw['kind']!r}; write one of {', '.join(KINDS)}")
    _prove_reason(line, raw["kind"], raw["failure_reason"])
    if not raw["name_pattern"] and not raw["description_pattern"] and flag is None:
        raise _BrokenRuleError(line, "the rule fits every entry; give it a pattern")
    return Rule(
        priority=int(raw["priority"]),
        rule_name=raw["rule_name"],
        name_pattern=raw["name_pattern"],
        description_pattern=raw["description_pattern"],
        is_problem=flag if isinstance(flag, bool) else None,
        kind=raw["kind"],
        failure_reason=raw["failure_reason"] or None,
        example_name=raw["example_name"],
        example_description=raw["example_description"],
    )


def _prove_priorities(rules: dict[int, Rule]) -> None:
    taken: dict[int, int] = {}
    for line, rule in rules.items():
        if rule.priority in taken:
            raise _BrokenRuleError(line, f"priority {rule.priority} is taken by line {taken[rule.priority]}")
        taken[rule.priority] = line


def _prove_patterns(rules: dict[int, Rule]) -> None:
    with duckdb.default_connection().cursor() as connection:
        for line, rule in rules.items():
            for column, pattern in (
                ("name_pattern", rule.name_pattern),
                ("description_pattern", rule.description_pattern),
            ):
                try:
                    if pattern:
                        connection.execute(f"select {_fits(column, pattern)} from (select '' as {column})")  # noqa: S608 - to try it
                except duckdb.Error as error:
                    reason = str(error).splitlines()[0]
                    raise _BrokenRuleError(line, f"{column} {pattern!r} is no RE2 pattern ({reason})") from None


def _prove_reason(line: int, kind: str, reason: str) -> None:
    if kind == "payment_failed" and reason not in REASONS:
        raise _BrokenRuleError(
            line, f"unknown failure_reason {reason!r} of a failed payment; write one of {', '.join(REASONS)}"
        )
    if kind != "payment_failed" and reason:
        raise _BrokenRuleError(line, f"only payment_failed has a failure_reason, {kind} must leave it empty")
