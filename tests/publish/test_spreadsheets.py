"""What is exported opens in a spreadsheet, says the same, and runs nothing."""

import codecs
import csv
from decimal import Decimal

import duckdb
import openpyxl
import pytest

from pipelines.errors import WrongUseError
from pipelines.foundation.shown_text import shown_in_spreadsheet, shown_in_spreadsheet_sql
from pipelines.publish.snapshot import open_snapshot
from pipelines.publish.spreadsheets import export


@pytest.fixture
def snapshot(publish_once, tmp_path):
    with open_snapshot(
        publish_once(personal_data=True).path, writes_to=tmp_path
    ) as opened:  # titles as people write them
        yield opened


FORMULAS = {
    text: f"'{text}" for text in ("=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\uff1d1", '"=1', "=cmd|' /C calc'!A0")
}
FORMULAS |= {
    "paid;=1": "paid;'=1",
    "a|+1;@b": "a|'+1;'@b",
    "a\t\n=1": "a\t\n'=1",
    "\t=1": "'\t'=1",
    "\x00=1": "\ufffd=1",
    "\r=1": "\ufffd=1",
    "\ufeff\u200b=1": "\ufffd\ufffd=1",
    "\x1b[31m\u202e": "\ufffd[31m\ufffd",
} | {text: text for text in ("Payment Result", "", "1-1", "a=b", "5", "a\nb", "a; b", "\u0645\u06cc\u200c\u062e")}


@pytest.mark.parametrize(("text", "shown"), FORMULAS.items())
def test_a_text_runs_in_no_spreadsheet_with_any_delimiter_and_holds_nothing_unseen(text, shown):
    assert shown_in_spreadsheet(text) == shown
    found = duckdb.execute(f"select {shown_in_spreadsheet_sql('text')} from (select $text as text)", {"text": text})
    assert found.fetchall() == [(shown,)]


def test_csv_holds_every_row_and_no_formula(snapshot, tmp_path):
    (file,) = export(snapshot, tmp_path / "out", "csv", ["history_entries"]).files
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 600
    assert {row["name"] for row in rows} >= {"Invoice sent", "Payment Result", "'=cmd|' /C calc'!A0"}
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=+@" and cell]


def test_money_in_csv_is_exact_and_a_negative_number_stays_a_number(snapshot, tmp_path):
    (file,) = export(snapshot, tmp_path / "out", "csv", ["period_payment_failure_rates"]).files
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    truth = snapshot.rows("select sum(failed_amount) as total from period_payment_failure_rates")[0]["total"]
    assert sum(Decimal(row["failed_amount"]) for row in rows) == truth
    assert all(not row["attempt_failure_change_ratio"].startswith("'") for row in rows)


def test_csv_says_that_it_is_utf_8(snapshot, tmp_path):
    (file,) = export(snapshot, tmp_path / "out", "csv", ["businesses"]).files
    assert file.read_bytes().startswith(codecs.BOM_UTF8)
    assert [path.name for path in file.parent.iterdir()] == ["businesses.csv"]


def test_a_workbook_of_named_tables_has_a_sheet_each_and_no_formula(snapshot, tmp_path):
    (file,) = export(snapshot, tmp_path / "out", "xlsx", snapshot.tables).files
    book = openpyxl.load_workbook(file)
    assert set(book.sheetnames) == {table[:31] for table in snapshot.tables}
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert "f" not in {cell.data_type for cell in cells}
    assert "=cmd|' /C calc'!A0" in {cell.value for cell in cells}
    about = {header.value: cell.value for header, cell in zip(*book["about"].iter_rows(), strict=True)}
    assert (about["release_number"], about["entry_count"]) == (1, 600)
    assert f"{about['published_at']:%Y-%m-%d %H:%M}" == "2025-07-01 06:00"


def test_the_workbook_for_finance_begins_with_the_findings_and_ends_with_what_columns_mean(snapshot, tmp_path):
    (file,) = export(snapshot, tmp_path / "out", "xlsx").files
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == [
        "findings",
        "failure_rates",
        "failure_reasons",
        "recovery",
        "open_invoices",
        "definitions",
    ]
    defined = {row[1].value for row in book["definitions"].iter_rows(min_row=2)}
    for sheet in book.worksheets[:-1]:
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert {cell.value for cell in sheet[1]} <= defined | {"business_name"}


def test_the_workbook_holds_the_figures_of_the_file_as_money_and_percent(snapshot, tmp_path):
    (file,) = export(snapshot, tmp_path / "out", "xlsx").files
    sheet = openpyxl.load_workbook(file)["failure_rates"]
    headings = [cell.value for cell in sheet[1]]
    rows = [dict(zip(headings, row, strict=True)) for row in sheet.iter_rows(min_row=2)]
    truth = snapshot.rows(
        "select sum(failed_first_attempt_amount) as amount, sum(failed_first_attempt_count) as count"
        " from monthly_payment_failure_rates where month_start_date > (select max(month_start_date) - interval 13 month"
        " from monthly_payment_failure_rates)"
    )[0]
    assert sum(row["failed_first_attempt_count"].value for row in rows) == truth["count"] > 0
    amounts = [row["failed_first_attempt_amount"] for row in rows]
    assert sum(Decimal(str(amount.value)) for amount in amounts if amount.value is not None) == truth["amount"]
    formats = {row["currency_code"].value: row["first_attempt_amount"].number_format for row in rows}
    assert formats["GBP"] == "#,##0.00"
    assert formats.get("JPY", "#,##0") == "#,##0"
    assert formats.get("KWD", "#,##0.000") == "#,##0.000"
    reasons = openpyxl.load_workbook(file)["failure_reasons"]
    share = [cell.value for cell in reasons[1]].index("failed_attempt_share_ratio")
    shares = [row[share] for row in reasons.iter_rows(min_row=2) if row[share].value is not None]
    assert {cell.number_format for cell in shares} == {"0.0%"}


def test_an_instant_fits_its_column(snapshot, tmp_path):
    (file,) = export(snapshot, tmp_path / "out", "xlsx", ["history_entries"]).files
    sheet = openpyxl.load_workbook(file)["history_entries"]
    column = next(cell for cell in sheet[1] if cell.value == "created_at")
    assert sheet.column_dimensions[column.column_letter].width >= len("2025-07-01 06:00:00")


def test_a_table_longer_than_a_sheet_is_left_out_and_said(snapshot, tmp_path):
    done = export(snapshot, tmp_path / "out", "xlsx", ["about", "history_entries"], sheet_rows=500)
    assert done.left_out == ["history_entries has 600 rows, more than fit on a sheet: export it with --format csv."]
    assert openpyxl.load_workbook(done.files[0]).sheetnames == ["about"]


def test_a_table_that_does_not_exist_is_said_and_nothing_is_written(snapshot, tmp_path):
    with pytest.raises(WrongUseError, match="There is no table 'secrets'; there are about, "):
        export(snapshot, tmp_path / "out", "csv", ["secrets"])
    assert not (tmp_path / "out").exists()
