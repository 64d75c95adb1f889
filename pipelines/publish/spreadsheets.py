"""Exports of the published tables as CSV and XLSX, in which no cell is a formula."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import duckdb
import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.worksheet import Worksheet

from pipelines.errors import WrongUseError
from pipelines.foundation.private_files import make_private_folder, unwritable, written_aside
from pipelines.publish.snapshot import Snapshot
from pipelines.settings import Settings

Format = Literal["csv", "xlsx"]
SHEET_ROWS = 1_048_576
_FORMATS: tuple[Format, ...] = ("csv", "xlsx")
_SHEET_NAME_LENGTH = 31
# What spreadsheet programs read as the start of a formula, also after blanks and in full width (OWASP, CSV injection).
_FORMULA = r"^[\s\x00]*[=+\-@＝＋－＠]|^[\t\r\n]"  # noqa: RUF001 - the full-width signs are meant
# Excel stores numbers as doubles: whole numbers above this would lose their last digits.
_LARGEST_EXACT = 10**15


class Exported(NamedTuple):
    """The files that were written, and a sentence for each table that did not fit."""

    files: list[Path]
    left_out: list[str]


def checked_format(text: str) -> Format:
    """The format that a text names. Raises WrongUseError."""
    for known in _FORMATS:
        if text == known:
            return known
    raise WrongUseError(f"There is no format {text!r}: use {' or '.join(_FORMATS)}.")


def export(
    snapshot: Snapshot, folder: Path, kind: Format, tables: Iterable[str] = (), *, sheet_rows: int = SHEET_ROWS
) -> Exported:
    """Write tables (all by default) to a CSV file each, or to one workbook with a sheet each, named by the release.

    Text that a spreadsheet would run as a formula is prefixed with an apostrophe in CSV; in XLSX its cell type is text.
    Raises WrongUseError for a table that does not exist and a folder that cannot be written to.
    """
    chosen = list(dict.fromkeys(tables)) or snapshot.tables
    if unknown := [table for table in chosen if table not in snapshot.tables]:
        raise WrongUseError(f"There is no table {unknown[0]!r}; there are {', '.join(snapshot.tables)}.")
    make_private_folder(folder)
    try:
        if kind == "csv":
            return Exported([_csv(snapshot, table, folder) for table in chosen], [])
        return _xlsx(snapshot, chosen, folder, sheet_rows)
    except (OSError, duckdb.IOException, XlsxWriterException) as error:
        raise unwritable(folder, error, "check its permissions, or name another with --to.") from None


def export_folder(settings: Settings) -> Path:
    """Where exports go unless told otherwise."""
    return settings.data_dir / "export"


def remove_exports(folder: Path) -> None:
    """Remove what was exported to this folder: it can be exported again, from what is published now."""
    for file in (*folder.glob("*.csv"), *folder.glob("nexudus-billing-*.xlsx")):
        file.unlink(missing_ok=True)


def escape_formula(text: str) -> str:
    """The text, prefixed with an apostrophe where a spreadsheet would run it as a formula."""
    return f"'{text}" if re.search(_FORMULA, text) else text


def _csv(snapshot: Snapshot, table: str, folder: Path) -> Path:
    file = folder / f"{table}.csv"
    pattern = _FORMULA.replace("'", "''")
    columns = ", ".join(
        f'case when regexp_matches("{name}", \'{pattern}\') then \'\'\'\' || "{name}" else "{name}" end as "{name}"'
        if kind == "VARCHAR"
        else f'"{name}"'
        for name, kind in snapshot.columns(table).items()
    )
    with written_aside(file) as building:
        snapshot.copy_to(f'select {columns} from "{table}"', building, "format csv, header")  # noqa: S608 - our tables
    return file


def _xlsx(snapshot: Snapshot, tables: list[str], folder: Path, sheet_rows: int) -> Exported:
    file = folder / f"nexudus-billing-{snapshot.about.release_number:06d}.xlsx"
    left_out = []
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
        "default_date_format": "yyyy-mm-dd",
    }
    with written_aside(file) as building, xlsxwriter.Workbook(str(building), options) as workbook:
        bold, instant = workbook.add_format({"bold": True}), workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for table in tables:
            row_count = snapshot.rows(f'select count(*) as count from "{table}"')[0]["count"]  # noqa: S608 - our tables
            if row_count >= sheet_rows:
                left_out.append(
                    f"{table} has {row_count:,} rows, more than fit on a sheet: export it with --format csv."
                )
                continue
            sheet = workbook.add_worksheet(table[:_SHEET_NAME_LENGTH])
            _fill(sheet, snapshot, table, bold, instant)
        if not workbook.worksheets():
            workbook.add_worksheet("empty")
    return Exported([file], left_out)


def _fill(sheet: Worksheet, snapshot: Snapshot, table: str, bold: Any, instant: Any) -> None:  # noqa: ANN401 - untyped
    columns = snapshot.columns(table)
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(columns):
        sheet.set_column(column, column, max(10, min(40, len(name) + 2)))
        sheet.write_string(0, column, name, bold)
    for number, row in enumerate(_all_rows(snapshot, table), start=1):
        for column, value in enumerate(row):
            _write(sheet, number, column, value, instant)


def _all_rows(snapshot: Snapshot, table: str) -> Iterator[tuple[Any, ...]]:
    for batch in snapshot.stream(f'from "{table}"'):
        yield from batch


def _write(sheet: Worksheet, row: int, column: int, value: object, instant: object) -> None:
    match value:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, value)
        case int() | float() | Decimal():
            if isinstance(value, int) and abs(value) >= _LARGEST_EXACT:
                sheet.write_string(row, column, str(value))
            else:
                sheet.write_number(row, column, value)
        case datetime():  # Excel has no time zones; instants (columns ending in _at) are written in UTC
            moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            sheet.write_datetime(row, column, moment, instant)
        case date():
            sheet.write_datetime(row, column, value)
        case _:
            sheet.write_string(row, column, str(value)[:32_767])
