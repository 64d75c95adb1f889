"""The report is one file that says what the dashboard says, and needs nothing else."""

import re
import subprocess
import sys
from html import escape

import pytest
import weasyprint
from command_line import run_here
from mail_server import Inbox, mail_server

from pipelines.errors import WrongUseError
from pipelines.publish.releases import report_path
from pipelines.publish.snapshot import open_snapshot
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
    assert page.count("<svg") == 3


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
        failed = f"<td>{rate['failed_first_attempt_count']:,} of {rate['first_attempt_count']:,}</td>"
        ratio = f'<td class="number">{100 * rate["first_attempt_failure_ratio"]:.1f}%</td>'
        assert re.search(f">{rate['currency_code']}</th>{ratio}.*?{failed}", page)


def test_it_begins_with_the_findings_and_lists_the_incidents_behind_them(page, snapshot):
    told = snapshot.rows("select finding, started_on_date, business_name from findings order by finding_number limit 3")
    assert told
    for row in told:
        assert 0 < page.index(escape(row["finding"])) < page.index("At risk now")
        assert row["business_name"] in page[page.index("Incidents since") :]


def test_the_incident_and_the_running_month_stand_beside_the_last_whole_one(page, snapshot):
    (running, *_), (whole, *_) = (
        snapshot.rows(
            "select period_code, strftime(period_start_date, '%B %Y') as name from reporting_periods"
            f" where period_kind = 'month' and {condition} order by period_start_date desc"
        )
        for condition in ("data_until_date >= period_start_date + 2", "is_complete")
    )
    first = page[: page.index("<h2>What drives it</h2>")]
    assert f"<h1>Payment failures, {whole['name']}</h1>" in first
    assert "Failures at Manchester" in first
    if running == whole:  # on the first days of a month the last one is all there is
        assert "(so far)" not in first
        return
    begin = first.index(f"{running['name']} (so far), against 1 ")
    for row in snapshot.rows(
        "select * from period_payment_failure_rates"
        f" where is_all_businesses and period_code = '{running['period_code']}'"
    ):
        counted = f"{row['failed_first_attempt_count']:,} of {row['first_attempt_count']:,}"
        assert counted in first[begin : first.index(f"{whole['name']}, against")]


def test_what_is_at_risk_and_what_is_expected_of_it_stands_before_the_rates(page, snapshot):
    (row,) = snapshot.rows(
        "select open_amount::decimal(18, 2) as amount, expected_amount::decimal(18, 2) as expected"
        " from expected_recoveries"
        " where is_all_businesses and is_all_reasons and is_all_bands and currency_code = 'GBP'"
    )
    first = page[page.index("At risk now") : page.index("Failure rate")]
    assert f"GBP {row['amount']:,}" in first
    assert f"GBP {row['expected']:,}" in first


def test_as_pdf_it_has_three_pages_at_most_also_for_sixty_businesses_in_eight_currencies(copied, tmp_path):
    file = copied(
        tmp_path / "a.duckdb",
        """
        insert into businesses by name
        select business_id + 10 * number as business_id, business_name || ' ' || number as business_name, * exclude
            (business_id, business_name, number) from businesses, range(1, 6) as numbers (number)
        """,
        """
        insert into period_payment_failure_rates by name
        select business_id + 10 * number as business_id, * exclude (business_id, number)
        from period_payment_failure_rates, range(1, 6) as numbers (number) where not is_all_businesses
        """,
        *(
            f"insert into {table} by name select '{code}' as currency_code, * exclude (currency_code) from {table}"
            " where is_all_businesses and currency_code = 'EUR'"
            for table in ("period_payment_failure_rates", "expected_recoveries", "period_failure_reasons")
            for code in ("CHF", "SEK", "NOK")
        ),
    )
    with open_snapshot(file) as many:
        made = weasyprint.HTML(string=report(many, utc_now())).render()
        assert 2 <= len(made.pages) <= 3
        assert write_report(many, tmp_path / "report.pdf", utc_now()).read_bytes().startswith(b"%PDF")


def test_one_business_alone_can_be_reported(snapshot):
    (name,) = snapshot.rows("select business_name from businesses where business_id = 1414977")
    said = report(snapshot, utc_now(), None, 1414977)
    assert f": {name['business_name']}</h1>" in said
    others = snapshot.rows("select business_name from businesses where business_id <> 1414977")
    assert [row["business_name"] for row in others if row["business_name"] in said] == []
    with pytest.raises(WrongUseError, match="no business 5"):
        report(snapshot, utc_now(), None, 5)


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
    row = {f"recovered_{end}": 0.5 for end in ("ratio", "low_ratio", "high_ratio")} | {"days_since_failure": 1}

    assert "G\ufffdP" in drawing(charts.curve([row], "G\0P"))


def test_making_it_does_not_load_the_dashboards_server():
    code = "import sys, pipelines.show.report; print('streamlit' in sys.modules or 'weasyprint' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout == "False\n"


def test_it_goes_out_by_mail_with_the_finding_first_as_pdf_and_html(analytics, snapshot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inbox = Inbox()
    with mail_server(inbox) as smtp:
        for name, value in {
            "ANALYTICS": str(analytics),
            "SMTP_HOST": smtp,
            "MAIL_FROM": "billing@example.com",
            "MAIL_TO": "cfo@example.com",
        }.items():
            monkeypatch.setenv(f"NEXUDUS_{name}", value)
        ran = run_here("report", "--send", "--period", "last-28-days")
        assert (ran.code, ran.out) == (0, "Mailed to cfo@example.com.\n")
        assert run_here("report", "--send", "--business", "Atlantis").code == 2
    (mail,) = inbox.mails
    (told, *_) = snapshot.rows("select finding from findings order by finding_number")
    assert mail.get_body().get_content().startswith(told["finding"])
    attached = {one.get_filename(): one.get_content() for one in mail.iter_attachments()}
    assert attached["payment-failures-last-28-days.pdf"].startswith(b"%PDF")
    assert "<h1>Payment failures, Last 28 days</h1>" in attached["payment-failures-last-28-days.html"]


@pytest.mark.fault("the mail server is not there", "when the report is sent", "exact after the next run")
def test_a_mail_server_that_is_not_there_is_said(analytics, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXUDUS_ANALYTICS", str(analytics))
    assert "NEXUDUS_SMTP_HOST" in run_here("report", "--send").err
    for name, value in {"SMTP_HOST": "127.0.0.1:9", "MAIL_FROM": "a@example.com", "MAIL_TO": "b@example.com"}.items():
        monkeypatch.setenv(f"NEXUDUS_{name}", value)
    ran = run_here("report", "--send")
    assert ran.code == 1
    assert "Nothing was mailed" in ran.err
