"""The comment that opens a SQL file: what a row is, its columns, its promises. Read here, and nowhere else.

The form, in this order (every block but the first sentence may be missing):

    -- One row per payment attempt. More sentences and lines, if they help.
    --
    -- columns
    --   entry_id   What it means; a longer text goes on
    --              in deeper indented lines
    -- promises
    --   unique: entry_id
    --   not null: entry_id, outcome
    --   accepted: outcome in (failed, succeeded)
    --   holds: failed_count <= attempt_count
    -- personal
    --   updated_by
    --   description: description_pattern
    -- reads
    --   model.daily_problem_entries
    -- concerns
    --   model.payment_attempts
    -- not published

`unique` counts nulls as equal; `accepted` and `holds` let null pass, as a CHECK constraint does. `personal` names a
column and, after the colon, the column that stands in for it where personal data is not published (else it is null).
`reads` names tables that a Python frame of the model needs; `concerns` names the model that a data test belongs to.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

PromiseKind = Literal["unique", "not null", "accepted", "holds"]
_BLOCKS = {"columns", "promises", "personal", "reads", "concerns"}
_ACCEPTED = re.compile(r"(?P<column>\w+) in \((?P<values>[^()]+)\)")


@dataclass(frozen=True)
class Promise:
    """One line under `promises`."""

    kind: PromiseKind
    text: str

    @property
    def name(self) -> str:
        """The promise as an identifier, for instance `unique_entry_id`: the name of its check."""
        return re.sub(r"\W+", "_", f"{self.kind} {self.text.partition(' in (')[0]}".lower()).strip("_")

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
    """What a file says about itself. `personal` maps a column to its stand-in, or to None."""

    description: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    promises: tuple[Promise, ...] = ()
    personal: dict[str, str | None] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()
    concerns: str | None = None
    published: bool = True


def parse_header(text: str) -> Header:
    """The header of a SQL file's text. Raises ValueError, beginning with the line number, where it is malformed."""
    sentences: list[str] = []
    blocks: dict[str, list[tuple[int, str]]] = {name: [] for name in _BLOCKS}
    block, published = "", True
    for number, line in _comment_lines(text):
        if line in _BLOCKS:
            block = line
        elif line == "not published":
            published = False
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
        promises=tuple(_promise(number, entry) for number, entry in blocks["promises"]),
        personal=dict(_personal(entry) for _, entry in blocks["personal"]),
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


def _promise(number: int, entry: str) -> Promise:
    kind, colon, text = entry.partition(": ")
    if not colon or kind not in get_args(PromiseKind):
        raise ValueError(f"{number}: a promise begins with one of {', '.join(get_args(PromiseKind))}, not {entry!r}")
    if kind == "accepted" and not _ACCEPTED.fullmatch(text):
        raise ValueError(f"{number}: write `accepted: column in (a, b)`, not {entry!r}")
    return Promise(cast("PromiseKind", kind), text)


def _personal(entry: str) -> tuple[str, str | None]:
    column, _, stand_in = entry.partition(":")
    return column.strip(), stand_in.strip() or None
