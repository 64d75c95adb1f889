"""What a person sees in a browser is what SQL finds in the file."""

import re

import pytest
from looking import choose, drawn, go, grid_of, table

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


def points(ratio):
    return None if ratio is None else round(100 * float(ratio), 1)


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
    assert ", compared with " in page.locator(".stMain").inner_text()
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
    assert told[0]["business_name"] in {row["Business"] for row in shown}


def test_the_rates_on_screen_are_those_of_the_file(page, dashboard, snapshot):
    go(page, dashboard, "overview")
    expected = snapshot.rows(
        f"select * from period_payment_failure_rates join businesses using (business_id) where period_code = {NEWEST}"
        " order by first_attempt_failure_ratio desc nulls last, first_attempt_count desc, business_id"
    )
    shown = table(page, "By business and currency")
    assert [(row["Business"], row["Currency"], row["Failed"], row["First attempts"]) for row in shown] == [
        (
            row["business_name"],
            row["currency_code"],
            f"{row['failed_first_attempt_count']}",
            f"{row['first_attempt_count']}",
        )
        for row in expected
    ]
    assert [float(row["Failure rate"]) for row in shown] == [
        points(row["first_attempt_failure_ratio"]) for row in expected
    ]


def test_the_cards_are_the_currencies_with_the_interval_in_a_tooltip_for_keys(page, dashboard, snapshot):
    go(page, dashboard, "overview")
    expected = snapshot.rows(
        f"select * from period_payment_failure_rates where period_code = {NEWEST} and is_all_businesses"
        " order by attempt_count desc"
    )
    assert expected
    cards = page.get_by_test_id("stMetric")
    # The page may be told as drawn a moment before its cards are.
    page.wait_for_function(
        "count => document.querySelectorAll('[data-testid=stMetricValue]').length === count", arg=len(expected)
    )
    shown = [page.get_by_test_id(f"stMetric{part}").all_inner_texts() for part in ("Label", "Value")]
    assert [[text.strip() for text in texts] for texts in shown] == [
        [row["currency_code"] for row in expected],
        [percent(row["first_attempt_failure_ratio"]) for row in expected],
    ]
    cards.first.get_by_role("button").first.focus()
    page.wait_for_selector(
        "text=/95 % interval {} to {}/".format(
            *(percent(expected[0][f"first_attempt_failure_{end}_ratio"]) for end in ("low", "high"))
        )
    )


def test_reasons_cohorts_retries_and_open_amounts_are_those_of_the_file(opened, analytics, snapshot):
    reasons = snapshot.rows(
        f"select replace(failure_reason, '_', ' ') as reason, currency_code, failed_attempt_count, "
        f" failed_attempt_share_ratio from period_failure_reasons where period_code = {NEWEST} and is_all_businesses"
    )
    shown = grid_of(opened(analytics, view="reasons"), "Not flagged")
    assert sorted((row["Reason"], row["Currency"], row["Failed"], row["Share"]) for row in shown) == sorted(
        (
            row["reason"],
            row["currency_code"],
            row["failed_attempt_count"],
            points(row["failed_attempt_share_ratio"]),
        )
        for row in reasons
    )
    page = opened(analytics, view="recovery", currency="GBP")
    cohorts = snapshot.rows(
        "select month_start_date, failed_invoice_count, recovered_7_day_ratio from currency_recovery_cohorts"
        f" where currency_code = 'GBP' and strftime(month_start_date, '%Y-%m') <= {NEWEST} order by 1 desc limit 12"
    )
    assert [(row["First failed in"], row["Failed"], row["7 d"]) for row in grid_of(page, "First failed in")] == [
        (row["month_start_date"], row["failed_invoice_count"], points(row["recovered_7_day_ratio"])) for row in cohorts
    ]
    amounts = snapshot.rows(
        "select ageing_band, sum(open_amount) as open_amount from failed_invoice_recoveries"
        " where ageing_band is not null and currency_code = 'GBP' group by all order by 1"
    )
    assert [(row["Age in days"], row["Open amount"]) for row in grid_of(page, "Age in days")] == [
        tuple(row.values()) for row in amounts
    ]
    retries = snapshot.rows(
        "select attempt_band, retry_count, success_ratio from retry_outcomes where is_all_businesses and is_all_reasons"
        " and is_all_waits and not is_all_attempts and currency_code = 'GBP' order by 1"
    )
    assert [(row["Attempt"], row["Retries"], row["Share"]) for row in grid_of(page, "Attempt")] == [
        (row["attempt_band"], row["retry_count"], points(row["success_ratio"])) for row in retries
    ]
    (expected,) = snapshot.rows(
        "select expected_amount, open_amount from expected_recoveries where is_all_businesses and is_all_reasons"
        " and is_all_bands and currency_code = 'GBP'"
    )
    (shown,) = grid_of(page, "Expected")
    assert (shown["Expected"], shown["At risk"]) == tuple(expected.values())


def test_customers_are_shown_by_id_and_by_name_only_where_names_are_published(opened, analytics, followed_up, snapshot):
    expected = snapshot.rows(
        "select coworker_id, open_amount from customers where is_repeat_offender or open_invoice_count > 0"
        " order by open_amount desc, failed_invoice_90_day_count desc, coworker_id"
    )
    shown = grid_of(opened(analytics, view="worklist"), "Repeat")
    assert [(row["Customer"], row["At risk"]) for row in shown] == [
        (str(row["coworker_id"]), row["open_amount"]) for row in expected
    ]
    assert "Name" not in shown[0]
    assert any(row["Name"] for row in grid_of(opened(followed_up, view="worklist"), "Repeat"))


def test_words_are_searched_in_texts_and_invoice_numbers(opened, analytics, snapshot):
    (one,) = snapshot.rows(
        "select invoices.invoice_number, count(*) as count from history_entries join invoices using (invoice_id)"
        " where day_date > (select max(day_date) - 300 from history_entries) group by all order by 2 desc limit 1"
    )
    shown = grid_of(
        opened(analytics, view="entries", period="last-365-days", text=one["invoice_number"].lower()), "Why"
    )
    assert {row["Invoice"] for row in shown} == {one["invoice_number"]}
    assert len(shown) == one["count"]


def test_a_figure_leads_to_its_entries_an_entry_to_its_rule_and_its_invoice_to_nexudus(page, dashboard):
    go(page, dashboard, "overview")
    row = table(page, "By business")[0]
    page.goto(dashboard + row["Failures"])
    drawn(page)
    assert re.match(r"\d+ entries, .*only entries counted", page.locator("h3").first.inner_text())
    entry = table(page, "Newest first")[0]
    page.goto(dashboard + entry["Why"])
    page.wait_for_selector("text=Why it is classified this way")
    assert page.locator("dt", has_text="Rule").count() >= 1
    page.get_by_role("link", name="The invoice and its history").click()
    page.wait_for_url("**invoice=**")
    drawn(page)
    created = [row["Created"] for row in table(page, "Oldest first")]
    assert created == sorted(created)
    assert page.get_by_role("link", name="Open it in Nexudus").get_attribute("href").startswith("https://")


def test_a_filter_is_in_the_address_and_the_address_is_a_filter(page, dashboard, open_page, snapshot):
    go(page, dashboard, "overview")
    choose(page, "Currency", "EUR")
    page.wait_for_url("**currency=EUR**")
    page.wait_for_function("document.querySelectorAll('[data-testid=stMetric]').length === 1")
    (euro,) = snapshot.rows(
        f"select count(*) as count from period_payment_failure_rates where period_code = {NEWEST}"
        " and not is_all_businesses and currency_code = 'EUR'"
    )
    # The cards come before the grid, and the grid's rows are told a moment after they are drawn.
    rows = f'[aria-label^="By business"] table[aria-rowcount="{euro["count"] + 1}"]'
    page.wait_for_selector(rows, state="attached")
    drawn(page)
    businesses = {row["Currency"] for row in table(page, "By business")}
    assert businesses == {"EUR"}
    colleague = open_page()
    colleague.goto(page.url)
    colleague.wait_for_selector(rows, state="attached")
    drawn(colleague)
    # A grid tells the columns that its width has room for, which differ between the two.
    theirs, ours = (
        [(row["Business"], row["Failure rate"]) for row in table(one, "By business")] for one in (colleague, page)
    )
    assert theirs == ours
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
        assert "<img src=x" in str(table(page, "By business" if view == "overview" else "Newest first"))
        assert page.locator(".stMain img[src=x], .stMain script").count() == 0
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
    texts = page.locator("canvas table").all_inner_texts()
    page.goto(address)
    drawn(page)
    assert page.locator("canvas table").all_inner_texts() == texts


@pytest.mark.slow
def test_the_rates_of_every_period_are_those_of_the_file(page, dashboard, snapshot):
    for period in snapshot.rows("select period_code from reporting_periods"):
        expected = snapshot.rows(
            "select first_attempt_failure_ratio, first_attempt_failure_change_ratio from period_payment_failure_rates"
            f" where period_code = '{period['period_code']}' and not is_all_businesses"
            " order by first_attempt_failure_ratio desc nulls last, first_attempt_count desc, business_id"
        )
        go(page, dashboard, "overview", f"&period={period['period_code']}")
        told = [(row["Failure rate"], row["Change"]) for row in table(page, "By business")]
        assert [tuple(float(one) if one else None for one in row) for row in told] == [
            tuple(points(ratio) for ratio in row.values()) for row in expected
        ]
