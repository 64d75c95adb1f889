"""The report is one file that says what the dashboard says, and needs nothing else."""

import re
import subprocess
import sys
from decimal import Decimal
from html import escape

import pytest

from pipelines.errors import WrongUseError
from pipelines.publish.releases import report_path
from pipelines.settings import utc_now
from pipelines.show import charts
from pipelines.show.report import drawing, report, write_report


@pytest.fixture(scope="module")
def page(snapshot):
    return report(snapshot, utc_now())


def test_it_is_one_small_file_that_names_no_other(page):
    assert len(page.encode()) < 2_000_000
    without_names_of_formats = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert re.findall(r"https?://|<script|<link|@import|url\(|src=", without_names_of_formats) == []
    assert page.count("<svg") >= 5


def test_it_says_the_rates_of_the_newest_whole_month(page, snapshot):
    (newest,) = snapshot.rows(
        "select period_code from reporting_periods where period_kind = 'month' and is_complete"
        " order by period_start_date desc limit 1"
    )
    rates = snapshot.rows(
        "select * from period_payment_failure_rates"
        f" where is_all_businesses and period_code = '{newest['period_code']}'"
    )
    assert rates
    for rate in rates:
        first = f"{rate['failed_first_attempt_count']:,} of {rate['first_attempt_count']:,} first attempts"
        assert first in page
        assert f">{100 * rate['first_attempt_failure_ratio']:.1f}%<" in page
        attempts = f"{rate['failed_attempt_count']:,} of {rate['attempt_count']:,}"
        assert f"{100 * rate['attempt_failure_ratio']:.1f}% of all attempts: {attempts}" in page


def test_it_begins_with_the_findings_and_lists_the_incidents_behind_them(page, snapshot):
    told = snapshot.rows("select finding, started_on_date, business_name from findings order by finding_number limit 3")
    assert told
    for row in told:
        assert 0 < page.index(escape(row["finding"])) < page.index("<h2>By business</h2>")
        assert row["business_name"] in page[page.index("Incidents since") :]


def test_the_incident_and_the_running_month_stand_beside_the_last_whole_one(page, snapshot):
    running, whole = snapshot.rows(
        "select period_code, strftime(period_start_date, '%B %Y') as name from reporting_periods"
        " where period_kind = 'month' and data_until_date >= period_start_date + 2"
        " order by period_start_date desc limit 2"
    )
    first = page[: page.index("<h2>What changed</h2>")]
    assert f"<h1>Payment failures, {whole['name']}</h1>" in first
    assert "Failures at Manchester" in first
    assert f"<h2>{running['name']} (so far), against 1 " in first
    for row in snapshot.rows(
        "select * from period_payment_failure_rates"
        f" where is_all_businesses and period_code = '{running['period_code']}'"
    ):
        counted = f"{row['failed_first_attempt_count']:,} of {row['first_attempt_count']:,} first attempts"
        assert counted in first[first.index("(so far)") :]


@pytest.mark.parametrize("period", ["last-28-days", "last-365-days"])
def test_any_period_can_be_reported(snapshot, period):
    assert f"Last {period.split('-')[1]} days" in report(snapshot, utc_now(), period)


def test_a_period_that_does_not_exist_is_said(snapshot):
    with pytest.raises(WrongUseError, match="There is no period '1999-01': write it as 2026-10"):
        report(snapshot, utc_now(), "1999-01")


def test_a_sync_makes_it_and_only_its_owner_reads_it(analytics):
    made = report_path(analytics)
    assert made.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert made.stat().st_mode & 0o077 == 0


def test_it_opens_offline_without_an_error(open_page, snapshot, tmp_path):
    file = write_report(snapshot, tmp_path / "report.html", utc_now())
    page = open_page(390, offline=True)
    page.goto(file.as_uri())
    assert page.locator("h1").inner_text().startswith("Payment failures, ")
    assert page.locator("svg").first.is_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


def test_a_control_character_in_a_currency_does_not_end_the_program_that_draws():
    row = {"ageing_band": "0-30", "open_amount": Decimal(3), "open_invoice_count": 1, "currency_code": "G\0P"}

    assert "G\ufffdP" in drawing(charts.ageing([row], "G\0P"))


def test_making_it_does_not_load_the_dashboards_server():
    code = "import sys, pipelines.show.report; print('streamlit' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout == "False\n"
