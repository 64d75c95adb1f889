"""Files of entries, CSV or JSON lines: read and checked completely before the first is sent; results written beside."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pipelines.errors import WrongUseError
from pipelines.foundation.private_files import replace_file, unwritable
from pipelines.foundation.shown_text import shown_in_spreadsheet
from pipelines.record.entries import Entry, faults_of, tidied
from pipelines.record.states import OutboxEntry

_HEADER = ("invoice_id", "name", "description", "is_problem", "notify")
_RESULT_HEADER = ("line", "invoice_id", "name", "reference", "state", "entry_id", "detail")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}
_SHOWN_FAULTS = 5
_ID_DIGITS = 19


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a JSON-lines file."""

    invoice_id: int
    name: str
    description: str
    is_problem: bool = False
    notify: bool = False


class EntryFile(msgspec.Struct, frozen=True):
    """The entries of a file, and the line that each stands on."""

    path: Path
    entries: list[Entry]
    lines: list[int]

    @property
    def result_path(self) -> Path:
        """Where the result goes unless told otherwise: `entries.csv` → `entries.result.csv`."""
        return self.path.with_suffix(f".result{self.path.suffix}")


def read_entry_file(path: Path) -> EntryFile:
    """All entries of a .csv or .jsonl file. Raises WrongUseError that names the first faulty lines, or the file."""
    readers = {".csv": _csv_entries, ".jsonl": _json_entries}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise WrongUseError(f"{path} is neither a .csv nor a .jsonl file: rename it according to its content.")
    found = list(reader(path, _text_of(path)))
    faults = [f"line {line}: {fault}" for line, fault in found if isinstance(fault, str)]
    lines = {line: entry for line, entry in found if isinstance(entry, Entry)}
    faults += [f"line {line}: {fault}" for line, entry in lines.items() for fault in faults_of(entry)]
    faults += _repetitions(lines)
    if faults:
        more = f"; and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise WrongUseError(f"Nothing was sent; fix {path} first: {'; '.join(faults[:_SHOWN_FAULTS])}{more}.")
    if not lines:
        raise WrongUseError(f"{path} contains no entries.")
    return EntryFile(path, list(lines.values()), list(lines))


def write_results(path: Path, file: EntryFile, rows: Sequence[OutboxEntry]) -> None:
    """Write the result of each line, in the file's order, as CSV or JSON lines; atomic, readable by the owner only."""
    results = [
        (line, row.invoice_id, row.name, row.reference, row.state.value, row.entry_id, row.detail)
        for line, row in zip(file.lines, rows, strict=True)
    ]
    text = io.StringIO(newline="")
    if path.suffix.lower() == ".jsonl":
        text.writelines(
            msgspec.json.encode(dict(zip(_RESULT_HEADER, row, strict=True))).decode() + "\n" for row in results
        )
    else:
        csv.writer(text, lineterminator="\n").writerows(
            [each if not isinstance(each, str) else shown_in_spreadsheet(each) for each in row]
            for row in [_RESULT_HEADER, *results]
        )
    _replace(path, text.getvalue())


def check_writable(path: Path) -> None:
    """Raise WrongUseError if the result could not be written, before the first entry is sent."""
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise WrongUseError(f"The result file {path} cannot be written: choose another with --result.")


def _replace(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise unwritable(f"The result file {path}", error, "choose another with --result.") from None


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise WrongUseError(f"{path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise WrongUseError(f"{path} is not UTF-8 text (byte {error.start}): save it as CSV UTF-8.") from None


def _csv_entries(path: Path, text: str) -> Iterator[tuple[int, Entry | str]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if Counter(header) != Counter(_HEADER):
            raise WrongUseError(f"Nothing was sent: the first line of {path} must be {','.join(_HEADER)}.")
        for row in rows:
            if row:
                yield rows.line_num, _entry_of(header, row)
    except csv.Error as error:
        yield rows.line_num, str(error)


def _entry_of(header: Sequence[str], row: Sequence[str]) -> Entry | str:
    if len(row) != len(header):
        return f"{len(row)} fields instead of {len(header)}"
    fields = {name: tidied(value) for name, value in zip(header, row, strict=True)}
    invoice_id = fields["invoice_id"]
    if not (invoice_id.isascii() and invoice_id.isdigit() and len(invoice_id) <= _ID_DIGITS):
        return f"invoice_id {invoice_id[: _ID_DIGITS + 1]!r} is not a number"
    for name in ("is_problem", "notify"):
        if fields[name].lower() not in _FLAGS:
            return f"{name} {fields[name][:10]!r} is neither true nor false"
    return Entry(
        invoice_id=int(invoice_id),
        name=fields["name"],
        description=fields["description"],
        is_problem=_FLAGS[fields["is_problem"].lower()],
        notify=_FLAGS[fields["notify"].lower()],
    )


def _json_entries(_path: Path, text: str) -> Iterator[tuple[int, Entry | str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeError) as error:
            yield number, str(error)
            continue
        yield (
            number,
            Entry(
                invoice_id=one.invoice_id,
                name=tidied(one.name),
                description=tidied(one.description),
                is_problem=one.is_problem,
                notify=one.notify,
            ),
        )


def _repetitions(lines: dict[int, Entry]) -> Iterator[str]:
    first: dict[str, int] = {}
    for line, entry in lines.items():
        before = first.setdefault(entry.reference, line)
        if before != line:
            yield f"line {line}: the same entry as line {before}; remove one, because an entry is recorded once"
