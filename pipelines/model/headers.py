"""The comment that opens a SQL file: what a row is, its columns, its promises. Read here, and nowhere else.

The form, in this order (every block but the first sentence may be missing):

    -- One row per payment attempt. More sentences and lines, if they help.
    --
    -- columns
    --   entry_id   What it means; a longer text goes on
    --              in deeper indented lines
    -- columns as in
    --   model.invoices without is_draft, is_paid
    -- promises
    --   unique: entry_id
    --   not null: entry_id, outcome
    --   accepted: outcome in (failed, succeeded)
    --   holds failures_are_attempts: failed_count <= attempt_count
    -- personal
    --   updated_by
    --   description: description_pattern
    -- pseudonymous
    --   invoice_number
    -- reads
    --   model.daily_problem_entries
    -- concerns
    --   model.payment_attempts
    -- published

`columns as in` takes over the columns of other models, with their meanings. `unique` counts nulls as equal; `accepted`
and `holds` let null pass, as a CHECK constraint does. A promise may have a name of its own between its kind and the
colon; without one its text makes its name. `personal` names a column and, after the colon, the column that stands in
for it where personal data is not published (else it is null); `pseudonymous` columns name nobody but to people with
access to Nexudus. `reads` names tables that a Python frame of the model needs; `concerns` names the model that a
data test belongs to. A model without `published` stays in the warehouse.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

PromiseKind = Literal["unique", "not null", "accepted", "holds"]
_BLOCKS = {"columns", "columns as in", "promises", "personal", "pseudonymous", "reads", "concerns"}
LONGEST_NAME = 60
_PROMISE = re.compile(rf"(?P<kind>{'|'.join(get_args(PromiseKind))})(?: (?P<name>[a-z][a-z0-9_]*))?: (?P<text>.+)")
_ACCEPTED = re.compile(r"(?P<column>\w+) in \((?P<values>[^()]+)\)")


@dataclass(frozen=True)
class Promise:
    """One line under `promises`."""

    kind: PromiseKind
    text: str
    given_name: str | None = None

    @property
    def name(self) -> str:
        """The promise as an identifier, for instance `unique_entry_id`: the name of its check."""
        return self.given_name or re.sub(r"\W+", "_", f"{self.kind} {self.text.partition(' in (')[0]}".lower()).strip(
            "_"
        )

    @property
    def columns(self) -> list[str]:
        """The columns of a `unique`, `not null` or `accepted` promise."""
        return [name.strip() for name in self.text.partition(" in (")[0].split(",")]

    @property
    def values(self) -> list[str]:
        """The values of an `accepted` promise."""
        match = _ACCEPTED.fullmatch(self.text)
        return [value.strip() for value in match["values"].split(",")] if match else []


@dataclass(frozen=True)
class Header:
    """What a file says about itself.

    `columns_as_in` maps a table to those of its columns that are not taken over, `personal` a column to its stand-in,
    or to None.
    """

    description: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    columns_as_in: dict[str, frozenset[str]] = field(default_factory=dict)
    promises: tuple[Promise, ...] = ()
    personal: dict[str, str | None] = field(default_factory=dict)
    pseudonymous: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    concerns: str | None = None
    published: bool = False


def parse_header(text: str) -> Header:
    """The header of a SQL file's text. Raises ValueError, beginning with the line number, where it is malformed."""
    sentences: list[str] = []
    blocks: dict[str, list[tuple[int, str]]] = {name: [] for name in _BLOCKS}
    block, published = "", False
    for number, line in _comment_lines(text):
        if line in _BLOCKS:
            block = line
        elif line == "published":
            published = True
        elif not line:
            continue
        elif not block:
            sentences.append(line)
        elif re.match(r" {2}\S", line):
            blocks[block].append((number, line.strip()))
        elif line.startswith("    ") and blocks[block]:
            first, begun = blocks[block].pop()
            blocks[block].append((first, f"{begun} {line.strip()}"))
        else:
            raise ValueError(f"{number}: {line!r} belongs to no block; indent it below one of {sorted(_BLOCKS)}")
    return Header(
        description=" ".join(sentences),
        columns=dict(_column(number, entry) for number, entry in blocks["columns"]),
        columns_as_in=dict(_taken_over(number, entry) for number, entry in blocks["columns as in"]),
        promises=_promises(blocks["promises"]),
        personal=dict(_personal(entry) for _, entry in blocks["personal"]),
        pseudonymous=frozenset(entry for _, entry in blocks["pseudonymous"]),
        reads=frozenset(entry for _, entry in blocks["reads"]),
        concerns=next((entry for _, entry in blocks["concerns"]), None),
        published=published,
    )


def _comment_lines(text: str) -> list[tuple[int, str]]:
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("--"):
            break
        lines.append((number, line.removeprefix("--").removeprefix(" ").rstrip()))
    return lines


def _column(number: int, entry: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\w+)\s{2,}(\S.*)", entry)
    if not match:
        raise ValueError(f"{number}: a column needs its name, two spaces and its meaning, not {entry!r}")
    return match[1], match[2]


def _taken_over(number: int, entry: str) -> tuple[str, frozenset[str]]:
    match = re.fullmatch(r"(\w+\.\w+)(?: without (\w+(?:, \w+)*))?", entry)
    if not match:
        raise ValueError(f"{number}: write `schema.table` or `schema.table without a, b`, not {entry!r}")
    return match[1], frozenset((match[2] or "").split(", ")) - {""}


def _promises(entries: list[tuple[int, str]]) -> tuple[Promise, ...]:
    promises: dict[str, Promise] = {}
    for number, entry in entries:
        promise = _promise(number, entry)
        if len(promise.name) > LONGEST_NAME:
            raise ValueError(
                f"{number}: a promise's name has at most {LONGEST_NAME} characters, not {promise.name!r}; give it one: "
                f"`{promise.kind} NAME: ...`"
            )
        if promise.name in promises:
            raise ValueError(f"{number}: another promise is called {promise.name!r}; give this one a name of its own")
        promises[promise.name] = promise
    return tuple(promises.values())


def _promise(number: int, entry: str) -> Promise:
    match = _PROMISE.fullmatch(entry)
    if not match:
        raise ValueError(f"{number}: a promise begins with one of {', '.join(get_args(PromiseKind))}, not {entry!r}")
    if match["kind"] == "accepted" and not _ACCEPTED.fullmatch(match["text"]):
        raise ValueError(f"{number}: write `accepted: column in (a, b)`, not {entry!r}")
    return Promise(cast("PromiseKind", match["kind"]), match["text"], match["name"])


def _personal(entry: str) -> tuple[str, str | None]:
    column, _, stand_in = entry.partition(":")
    return column.strip(), stand_in.strip() or None
