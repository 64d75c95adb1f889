"""The CSV files of `sql/rules`: read strictly, and refused by file, line and reason."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import WrongUseError
from pipelines.foundation.sql_files import sql_folder


@dataclass(frozen=True)
class Line:
    """A line of a file of rules: its cells by column, and where it stands."""

    path: Path
    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell in a column."""
        return self.cells[column]

    def refused(self, reason: str) -> WrongUseError:
        """The error that says what is wrong with this line."""
        return refused(self.path, self.number, reason)

    def choice(self, column: str, known: tuple[str, ...], *, may_be_empty: bool = False) -> str:
        """The cell, which must be one of the known words. Raises WrongUseError."""
        if self[column] in known or (may_be_empty and not self[column]):
            return self[column]
        raise self.refused(f"unknown {column} {self[column]!r}; write one of {', '.join(known)}")

    def flag(self, column: str) -> bool | None:
        """True, false or, for an empty cell, None. Raises WrongUseError."""
        try:
            return {"": None, "true": True, "false": False}[self[column].lower()]
        except KeyError:
            raise self.refused(f"{column} {self[column]!r} is neither true, false nor empty") from None

    def whole_number(self, column: str, below: int) -> int:
        """The cell as a number from 0 up. Raises WrongUseError."""
        if self[column].isdecimal() and int(self[column]) < below:
            return int(self[column])
        raise self.refused(f"{column} {self[column]!r} is not a whole number from 0 to {below - 1}")


@dataclass
class Once:
    """Refuses a value that an earlier line has taken."""

    column: str
    _taken: dict[str, int] = field(default_factory=dict)

    def take(self, line: Line) -> None:
        """Notes the line's value. Raises WrongUseError."""
        value = line[self.column]
        if value in self._taken:
            raise line.refused(f"{self.column} {value} is taken by line {self._taken[value]}")
        self._taken[value] = line.number


def refused(path: Path, number: int, reason: str) -> WrongUseError:
    """A broken rule, for those who edit the file."""
    return WrongUseError(f"{path}:{number}: {reason}. The last good figures stay as they are.")


def rule_file(name: str, folder: Path | None) -> Path:
    """A file of rules: the folder's where it has one of that name, else the one that the program comes with."""
    own = folder / name if folder else None
    return own if own and own.exists() else sql_folder("rules") / name


def rule_files(name: str, folder: Path | None) -> list[Path]:
    """The same for all files of a subfolder, by name."""
    found = {path.name: path for base in (sql_folder("rules"), folder) if base for path in (base / name).glob("*.csv")}
    return [found[each] for each in sorted(found)]


def refuse_strangers(folder: Path) -> None:
    """Raises WrongUseError where a folder of rules has no file of rules, or a CSV file that nothing would read."""
    if not folder.is_dir():
        raise WrongUseError(f"{folder}: there is no such folder; put changed copies of files of sql/rules there.")
    base = sql_folder("rules")
    known = {path.name for path in base.glob("*.csv")}
    found = sorted(path.relative_to(folder) for path in folder.rglob("*.csv"))
    for path in found:
        if str(path) not in known and str(path.parent) not in ("words", "codes"):
            raise WrongUseError(
                f"{folder / path}: is no file of rules; they are {', '.join(sorted(known))} and the files in words/ "
                "and codes/, in folders as in sql/rules."
            )
    if not found:
        raise WrongUseError(f"{folder}: has no CSV file; put changed copies of files of sql/rules there.")


def lines(path: Path, columns: list[str]) -> Iterator[Line]:
    """The lines of a file, in order, without those that are empty. Raises WrongUseError."""
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True)
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUseError(f"{path}: cannot be read ({error}); a file of rules must be UTF-8 text.") from None
    try:
        if (header := next(reader, [])) != columns:
            raise refused(path, 1, f"the header must read {','.join(columns)}, not {','.join(header)!r}")
        for cells in reader:
            if len(cells) not in {0, len(columns)}:
                raise refused(path, reader.line_num, f"{len(cells)} cells where the header has {len(columns)}")
            if cells:
                stripped = (
                    cell if name.endswith("_pattern") else cell.strip()
                    for name, cell in zip(columns, cells, strict=True)
                )
                yield Line(path, reader.line_num, dict(zip(columns, stripped, strict=True)))
    except csv.Error as error:
        raise refused(path, reader.line_num, f"not a line of CSV ({error})") from None
