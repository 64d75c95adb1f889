"""Exports as CSV and XLSX, in which no cell is a formula: a workbook for finance, or any published tables."""

import codecs
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb
import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from pipelines.errors import WrongUseError
from pipelines.foundation.currencies import amount_digits
from pipelines.foundation.private_files import make_private_folder, unwritable, written_aside
from pipelines.foundation.shown_text import shown_in_spreadsheet_sql
from pipelines.foundation.sql_files import sql_folder
from pipelines.publish.snapshot import Snapshot
from pipelines.settings import Settings

Kind = Literal["csv", "xlsx"]
SHEET_ROWS = 1_048_576
_SHEET_NAME_LENGTH = 31
# How a column is shown, by the ending of its name, and its width in characters. Money has its currency's digits.
_MONEY = "money"
_SHOWN = {
    "_ratio": ("0.0%", 12),
    "_probability": ("0%", 12),
    "_count": ("#,##0", 12),
    "_amount": (_MONEY, 16),
    "_date": ("yyyy-mm-dd", 12),
    "_at": ("yyyy-mm-dd hh:mm:ss", 20),
}
_TEXT_WIDTHS = {"finding": 90, "description": 90, "business_name": 30, "public_description": 60}
# Excel stores numbers as doubles: whole numbers above this would lose their last digits.
_LARGEST_EXACT = 10**15


class Exported(NamedTuple):
    """The files that were written, and a sentence for each table that did not fit."""

    files: list[Path]
    left_out: list[str]


def export(
    snapshot: Snapshot, folder: Path, kind: Kind, tables: Iterable[str] = (), *, sheet_rows: int = SHEET_ROWS
) -> Exported:
    """Write tables to a CSV file each (all by default), or to one workbook that is named by the release.

    A workbook without tables named has the sheets of `sql/sheets`: findings, rates, reasons, recovery, open invoices
    and what their columns mean. Text that a spreadsheet would run as a formula is prefixed with an apostrophe in CSV;
    in XLSX its cell type is text. Raises WrongUseError for a table that does not exist and a folder that cannot be
    written to.
    """
    chosen = list(dict.fromkeys(tables))
    if unknown := [table for table in chosen if table not in snapshot.tables]:
        raise WrongUseError(f"There is no table {unknown[0]!r}; there are {', '.join(snapshot.tables)}.")
    make_private_folder(folder)
    try:
        if kind == "csv":
            return Exported([_csv(snapshot, table, folder) for table in chosen or snapshot.tables], [])
        sheets = {table: f'from "{table}"' for table in chosen} or _curated()
        return _xlsx(snapshot, sheets, folder, sheet_rows)
    except (OSError, duckdb.IOException, XlsxWriterException) as error:
        raise unwritable(folder, error, "check its permissions, or name another with --to.") from None


def export_folder(settings: Settings) -> Path:
    """Where exports go unless told otherwise."""
    return settings.data_dir / "export"


def remove_exports(folder: Path) -> None:
    """Remove what was exported to this folder: it can be exported again, from what is published now."""
    for file in (*folder.glob("*.csv"), *folder.glob("nexudus-billing-*.xlsx")):
        file.unlink(missing_ok=True)


def _csv(snapshot: Snapshot, table: str, folder: Path) -> Path:
    file = folder / f"{table}.csv"
    columns = ", ".join(
        f'{shown_in_spreadsheet_sql(f"{chr(34)}{name}{chr(34)}")} as "{name}"' if kind == "VARCHAR" else f'"{name}"'
        for name, kind in snapshot.columns(table).items()
    )
    with written_aside(file) as building:
        snapshot.copy_to(f'select {columns} from "{table}"', building, "format csv, header")  # noqa: S608 - our tables
        _begin_with_byte_order_mark(building)
    return file


def _begin_with_byte_order_mark(file: Path) -> None:
    # Without it Excel reads a CSV file as Windows-1252: "MalasaÃ±a".
    with file.with_suffix(".marked").open("wb") as marked, file.open("rb") as plain:
        marked.write(codecs.BOM_UTF8)
        shutil.copyfileobj(plain, marked)
    file.with_suffix(".marked").replace(file)


def _curated() -> dict[str, str]:
    """Name of each sheet of the workbook for finance, and its query."""
    return {
        file.stem.partition("_")[2]: file.read_text(encoding="utf-8")
        for file in sorted(sql_folder("sheets").glob("*.sql"))
    }


def _xlsx(snapshot: Snapshot, sheets: dict[str, str], folder: Path, sheet_rows: int) -> Exported:
    file = folder / f"nexudus-billing-{snapshot.about.release_number:06d}.xlsx"
    left_out = []
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
    }
    with written_aside(file) as building, xlsxwriter.Workbook(str(building), options) as workbook:

        @cache  # each made once: Excel allows 64,000
        def formats(pattern: str) -> Format:
            return workbook.add_format({"num_format": pattern})

        heading = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        for name, query in sheets.items():
            row_count = snapshot.rows(f"select count(*) as count from ({query})")[0]["count"]  # noqa: S608 - our queries
            if row_count >= sheet_rows:
                left_out.append(
                    f"{name} has {row_count:,} rows, more than fit on a sheet: export it with --format csv."
                )
                continue
            _fill(workbook.add_worksheet(name[:_SHEET_NAME_LENGTH]), snapshot, query, formats, heading)
        if not workbook.worksheets():
            workbook.add_worksheet("empty")
    return Exported([file], left_out)


def _money(currency_code: str | None) -> str:
    """The number pattern of an amount with its currency's digits."""
    digits = amount_digits(currency_code)
    return f"#,##0.{'0' * digits}" if digits else "#,##0"


def _fill(sheet: Worksheet, snapshot: Snapshot, query: str, formats: Callable[[str], Format], heading: Format) -> None:
    names = snapshot.names(query)
    currency = names.index("currency_code") if "currency_code" in names else None
    shown = [_shown(name) for name in names]
    sheet.freeze_panes(1, 0)
    for column, (name, (_, width)) in enumerate(zip(names, shown, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, name, heading)
    last = 0
    for last, row in enumerate(chain.from_iterable(snapshot.stream(query)), start=1):
        money = _money(row[currency] if currency is not None else None)
        for column, value in enumerate(row):
            pattern = shown[column][0]
            _write(sheet, last, column, value, formats(money if pattern == _MONEY else pattern))
    sheet.autofilter(0, 0, last, len(names) - 1)


def _shown(name: str) -> tuple[str, int]:
    """Excel pattern of a column's cells, and its width in characters."""
    ending = f"_{name.rpartition('_')[2]}"
    return _SHOWN.get(ending, ("General", _TEXT_WIDTHS.get(name, max(10, min(24, len(name) + 2)))))


def _write(sheet: Worksheet, row: int, column: int, value: object, shown: Format) -> None:
    match value:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, value)
        case int() | float() | Decimal():
            if isinstance(value, int) and abs(value) >= _LARGEST_EXACT:
                sheet.write_string(row, column, str(value))
            else:
                sheet.write_number(row, column, value, shown)
        case datetime():  # Excel has no time zones; instants (columns ending in _at) are written in UTC
            moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            sheet.write_datetime(row, column, moment, shown)
        case date():
            sheet.write_datetime(row, column, value, shown)
        case _:
            sheet.write_string(row, column, str(value)[:32_767])
