"""What a person sees in a browser is what SQL finds in the file."""

import re

import pytest
from looking import choose, drawn, go, table

PAGES = ("overview", "trends", "reasons", "recovery", "worklist", "entries", "health")
NEWEST = (
    "(select period_code from reporting_periods where period_kind = 'month'"
    " and data_until_date >= period_start_date + 2 order by period_start_date desc limit 1)"
)


def damaged(file):
    aside = file.with_name("aside")
    aside.write_bytes(b"not a database" * 1000)
    aside.replace(file)


def percent(ratio):
    return "\u2013" if ratio is None else f"{100 * ratio:.1f}%"


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.mark.parametrize("view", PAGES)
def test_every_page_is_drawn_without_an_error(page, dashboard, view):
    go(page, dashboard, view)
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.locator("h1").inner_text() == "Payment failures"


@pytest.mark.parametrize(("width", "highest"), [(1280, 250), (390, 320)])
def test_the_first_screen_is_the_incident_and_leads_to_the_invoices_to_collect(open_page, dashboard, width, highest):
    page = open_page(width)
    go(page, dashboard, "overview")
    finding = page.locator(".nb-notice", has_text="Manchester")
    assert re.search(r"Failures at Manchester .* rose from \d+ % to \d+ % since .*at risk", finding.first.inner_text())
    assert finding.first.bounding_box()["y"] < highest
    assert " (so far), compared with " in page.locator(".stMain").inner_text()
    finding.get_by_role("link", name="Invoices to collect").click()
    page.wait_for_url("**/?view=worklist&business=*")
    drawn(page)
    assert "open invoices after a failed payment" in page.locator("h3").first.inner_text()


def test_the_first_screen_begins_with_the_findings_and_trends_lists_the_incidents(page, dashboard, snapshot):
    go(page, dashboard, "overview")
    told = snapshot.rows("select finding, business_name from findings order by finding_number limit 3")
    assert told
    assert page.locator(".nb-notice > span").all_inner_texts()[: len(told)] == [row["finding"] for row in told]
    assert page.locator(".nb-notice").first.bounding_box()["y"] < page.viewport_size["height"] / 2
    go(page, dashboard, "trends")
    shown = table(page, "Incidents, those that last first")
    assert told[0]["business_name"] in {row[2] for row in shown}


def test_the_rates_on_screen_are_those_of_the_file(page, dashboard, snapshot):
    go(page, dashboard, "overview")
    expected = snapshot.rows(
        f"select * from period_payment_failure_rates join businesses using (business_id) where period_code = {NEWEST}"
        " order by first_attempt_failure_ratio desc nulls last, first_attempt_count desc, business_id"
    )
    shown = table(page, "By business and currency")
    assert [(*row[:3], row[4], *row[6:]) for row in shown] == [
        (
            row["business_name"],
            row["currency_code"],
            percent(row["first_attempt_failure_ratio"]),
            percent(row["first_attempt_amount_failure_ratio"]),
            percent(row["attempt_failure_ratio"]),
            f"{row['failed_attempt_count']:,}",
            f"{row['attempt_count']:,}",
            f"{row['pending_count']:,}",
        )
        for row in expected
    ]


def test_the_cards_are_the_currencies_with_the_interval_on_hover(page, dashboard, snapshot):
    go(page, dashboard, "overview")
    expected = snapshot.rows(
        f"select * from period_payment_failure_rates where period_code = {NEWEST} and is_all_businesses"
        " order by attempt_count desc"
    )
    assert expected
    shown = page.evaluate(
        "[...document.querySelectorAll('.nb-card')].map(card => [card.querySelector('h3').innerText,"
        " card.querySelector('.nb-figure').innerText, card.querySelector('.nb-figure').title])"
    )
    assert shown == [
        [
            row["currency_code"],
            percent(row["first_attempt_failure_ratio"]),
            "95 % interval {} to {}".format(
                *(percent(row[f"first_attempt_failure_{end}_ratio"]) for end in ("low", "high"))
            ),
        ]
        for row in expected
    ]


def test_reasons_cohorts_and_open_amounts_are_those_of_the_file(page, dashboard, snapshot):
    go(page, dashboard, "reasons")
    reasons = snapshot.rows(
        f"select replace(failure_reason, '_', ' ') as reason, currency_code, failed_attempt_count, "
        f" failed_attempt_share_ratio from period_failure_reasons where period_code = {NEWEST} and is_all_businesses"
    )
    assert sorted((row[0], row[2], row[3], row[4]) for row in table(page, "Reasons")) == sorted(
        (
            row["reason"],
            row["currency_code"],
            f"{row['failed_attempt_count']:,}",
            percent(row["failed_attempt_share_ratio"]),
        )
        for row in reasons
    )
    go(page, dashboard, "recovery", "&currency=GBP")
    cohorts = snapshot.rows(
        "select month_start_date, failed_invoice_count, recovered_7_day_ratio from currency_recovery_cohorts"
        f" where currency_code = 'GBP' and strftime(month_start_date, '%Y-%m') <= {NEWEST} order by 1 desc limit 12"
    )
    assert [(row[0], row[1], row[4]) for row in table(page, "All businesses, GBP")] == [
        (
            f"{row['month_start_date']:%B %Y}",
            str(row["failed_invoice_count"]),
            "\u2013" if row["recovered_7_day_ratio"] is None else f"{100 * row['recovered_7_day_ratio']:.0f}%",
        )
        for row in cohorts
    ]
    amounts = snapshot.rows(
        "select ageing_band, open_amount::decimal(18, 2) as amount from open_failed_amounts"
        " where is_all_businesses and currency_code = 'GBP' order by 1"
    )
    assert [(row[2], row[4]) for row in table(page, "Open amounts by age")] == [
        (row["ageing_band"], f"GBP {row['amount']:,}") for row in amounts
    ]


def test_a_figure_leads_to_its_entries_and_an_entry_to_its_rule(page, dashboard):
    go(page, dashboard, "overview")
    link = page.locator(".nb-table td a").first
    count = link.inner_text()
    link.click()
    page.wait_for_url("**/?view=entries&**")
    drawn(page)
    assert page.locator("h3").first.inner_text().startswith(f"{count} entries")
    page.locator(".nb-table tbody a").first.click()
    page.wait_for_selector("text=Why it is classified this way")
    assert page.locator("dt", has_text="Rule").count() >= 1


def test_a_filter_is_in_the_address_and_the_address_is_a_filter(page, dashboard, open_page, snapshot):
    go(page, dashboard, "overview")
    choose(page, "Currency", "EUR")
    page.wait_for_url("**currency=EUR**")
    page.wait_for_function("document.querySelectorAll('.nb-card').length === 1")
    drawn(page)  # the cards come before the table
    businesses = {row[1] for row in table(page, "By business")}
    assert businesses == {"EUR"}
    colleague = open_page()
    colleague.goto(page.url)
    drawn(colleague)
    assert table(colleague, "By business") == table(page, "By business")
    page.get_by_role("radio", name="Reasons").or_(page.get_by_role("button", name="Reasons")).first.click()
    page.wait_for_url("**view=reasons**currency=EUR**")


def test_a_filter_that_does_not_exist_is_said_and_left_out(page, dashboard):
    go(page, dashboard, "overview", "&business=5&currency=%27%3B+drop+table+about&period=1999-01&kind=%3Cb%3E")
    said = page.locator(".nb-notice.nb-warning").all_inner_texts()
    assert len(said) == 4
    assert "There is no currency “'; drop table about” in this file; the filter was ignored." in said
    go(page, dashboard, "nothing-of-ours")
    assert "There is no page “nothing-of-ours”" in page.locator(".nb-notice").first.inner_text()


def swapped(page, workbench, copied, view, release, *changes):
    """Swap a changed file in below a running dashboard, and look at a view of it."""
    address, file = workbench
    copied(file, f"update about set release_number = {release}", *changes)
    go(page, address, view)
    page.wait_for_selector(f"text=/as release {release} /")
    return address, file


def test_html_and_sql_in_the_data_are_text(page, workbench, copied):
    evil = "<img src=x onerror=document.title=1><script>document.title=2</script>''; drop table about;-- =1+1"
    address, _ = swapped(
        *(page, workbench, copied, "overview", 70),
        f"update history_entries set description = '{evil}', name = '{evil}'",
        f"update businesses set business_name = '{evil}' || business_id",
    )
    for view in ("overview", "entries"):
        go(page, address, view)
        assert page.title().endswith("Payment failures")
        assert "<img src=x" in page.locator(".nb-table").first.inner_text()
        assert page.locator(".nb-table img, .nb-table script").count() == 0
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    assert "drop table about" in download.value.path().read_text(encoding="utf-8-sig")


def test_a_swapped_file_is_followed_without_a_restart(page, workbench, copied):
    _, file = swapped(page, workbench, copied, "health", 80)
    copied(file, "update about set release_number = 81")
    page.wait_for_selector("text=/as release 81 /", timeout=20_000)


def test_a_damaged_swap_keeps_the_last_good_file_on_screen_and_says_so(page, workbench, copied):
    _, file = swapped(page, workbench, copied, "overview", 90)
    rates = table(page, "By business")
    damaged(file)
    page.wait_for_selector("text=/The newest file is not shown/", timeout=20_000)
    assert table(page, "By business") == rates


FILTERS = {
    "overview": ("Period", "Business", "Currency"),
    "trends": ("Period", "Business", "Currency", "Kind"),
    "reasons": ("Period", "Business", "Currency"),
    "recovery": ("Period", "Business", "Currency"),
    "entries": ("Period", "Business", "Currency", "Kind", "Reason"),
}
OPTIONS = {
    "Period": ("Last 90 days", "period=last-90-days"),
    "Business": ("Shoreditch Exchange", "business=1414970"),
    "Currency": ("GBP", "currency=GBP"),
    "Kind": ("payment failed", "kind=payment_failed"),
    "Reason": ("insufficient funds", "reason=insufficient_funds"),
}


@pytest.mark.slow
@pytest.mark.parametrize("view", FILTERS)
def test_every_filter_of_every_page_is_chosen_by_keys_and_lands_in_the_address(page, dashboard, view):
    go(page, dashboard, view)
    for label in FILTERS[view]:
        option, parameter = OPTIONS[label]
        choose(page, label, option)
        page.wait_for_url(f"**{parameter}**")
        drawn(page)
        assert page.locator("[data-testid=stException]").count() == 0
    address = page.url
    texts = page.locator(".nb-table").all_inner_texts()
    page.goto(address)
    drawn(page)
    assert page.locator(".nb-table").all_inner_texts() == texts


@pytest.mark.slow
def test_the_rates_of_every_period_are_those_of_the_file(page, dashboard, snapshot):
    for period in snapshot.rows("select period_code from reporting_periods"):
        expected = snapshot.rows(
            "select first_attempt_failure_ratio, first_attempt_failure_change_ratio from period_payment_failure_rates"
            f" where period_code = '{period['period_code']}' and not is_all_businesses"
            " order by first_attempt_failure_ratio desc nulls last, first_attempt_count desc, business_id"
        )
        go(page, dashboard, "overview", f"&period={period['period_code']}")
        changes = [row["first_attempt_failure_change_ratio"] for row in expected]
        assert [(row[2], row[3].lstrip("▲▼ ")) for row in table(page, "By business")] == [
            (
                percent(row["first_attempt_failure_ratio"]),
                "\u2013" if change is None else f"{100 * change:+.1f} points".replace("-", "\u2212"),
            )
            for row, change in zip(expected, changes, strict=True)
        ]
