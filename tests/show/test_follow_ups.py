"""Under the entries of an invoice are the follow-ups recorded on it, as the published file has them."""

from pathlib import Path

import pytest
from looking import choose, drawn, go, grid_of, table
from synced_sandbox import EVIL, UNSEEN_INVOICE
from test_accessibility import serious

from pipelines.foundation.shown_text import shown_in_spreadsheet
from pipelines.publish.snapshot import open_snapshot

CAPTION = "Follow-ups on"
COLUMNS = ("Reference", "State", "Title", "Invoice", "Business", "Requested", "Last change", "Id in Nexudus")
NEWEST = (
    "(select period_code from reporting_periods where period_kind = 'month' and is_complete"
    " order by period_start_date desc limit 1)"
)
MONTH = "&period={period_code}"
WORDS = {
    "planned": "planned: not sent yet",
    "sending": "being sent",
    "confirmed": "confirmed: created in Nexudus",
    "refused": "refused: not created",
    "unsure": "unconfirmed: it may have been created",
}


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture(scope="module")
def published(followed_up):
    with open_snapshot(followed_up) as opened:
        yield opened


def recorded(published, condition):
    """What the table on screen should be, of the recorded entries that fulfil a condition."""
    rows = published.rows(
        "select recorded.*, business_name from recorded_entries as recorded left join businesses using (business_id)"
        f" where {condition} order by planned_at desc, reference"
    )
    return [
        [
            row["reference"],
            WORDS[row["state"]] + (f". {row['detail']}" if row["detail"] else ""),
            shown_in_spreadsheet(row["name"]),
            str(row["invoice_id"]),
            row["business_name"] or "not synced yet",
            row["planned_at"],
            row["changed_at"],
            None if row["entry_id"] is None else str(row["entry_id"]),
        ]
        for row in rows
    ]


def of_entries(period, condition="true"):
    return (
        "invoice_id in (select invoice_id from history_entries, reporting_periods"
        f" where day_date between period_start_date and period_end_date and period_code = {period} and {condition})"
    )


def told(app):
    """The table of follow-ups of a page."""
    return [[row[column] for column in COLUMNS] for row in grid_of(app, "Reference")]


def of(query):
    """The parameters of an address."""
    return {name: value for name, _, value in (one.partition("=") for one in query.lstrip("&").split("&") if one)}


# The business that has follow-ups changes with the hour at which the sandbox's history ends.
BUSINESS = f"(select min(business_id) from recorded_entries where {of_entries(NEWEST)})"
VIEWS = {
    "the newest month": (MONTH, of_entries(NEWEST)),
    "a currency": (f"{MONTH}&currency=EUR", f"currency_code = 'EUR' and {of_entries(NEWEST)}"),
    "a business": (f"{MONTH}&business={{business_id}}", f"business_id = {BUSINESS} and {of_entries(NEWEST)}"),
    "a longer period": ("&period=last-365-days", of_entries("'last-365-days'")),
    "a kind": (f"{MONTH}&kind=payment_failed", of_entries(NEWEST, "kind = 'payment_failed'")),
    "an invoice that no sync has seen": (f"&invoice={UNSEEN_INVOICE}", f"invoice_id = {UNSEEN_INVOICE}"),
}


@pytest.mark.parametrize(("query", "condition"), VIEWS.values(), ids=VIEWS)
def test_the_follow_ups_of_a_view_are_those_of_the_file(opened, followed_up, published, query, condition):
    (known,) = published.rows(f"select {BUSINESS} as business_id, {NEWEST} as period_code")
    expected = recorded(published, condition)
    assert expected
    assert told(opened(followed_up, view="entries", **of(query.format(**known)))) == expected


def test_every_state_is_shown_and_views_differ(published):
    (states,) = published.rows("select list(distinct state order by state) as states from recorded_entries")
    assert states["states"] == sorted(WORDS)
    sizes = {name: len(recorded(published, condition)) for name, (_, condition) in VIEWS.items()}
    assert sizes["a currency"] < sizes["the newest month"] < sizes["a longer period"]


def test_the_docs_name_the_states_as_the_page_does():
    told = (Path(__file__).parents[2] / "docs" / "record.md").read_text(encoding="utf-8")
    assert [state for state, words in WORDS.items() if f"| `{state}` | {words} |" not in told] == []


def test_a_filter_chosen_by_keys_narrows_the_follow_ups(page, follow_up_dashboard, published):
    go(page, follow_up_dashboard, "entries", MONTH.format(**published.rows(f"select {NEWEST} as period_code")[0]))
    choose(page, "Currency", "EUR")
    page.wait_for_url("**currency=EUR**")
    drawn(page)
    expected = len(recorded(published, VIEWS["a currency"][1]))
    page.wait_for_selector(f'[aria-label^="{CAPTION}"] table[aria-rowcount="{expected + 1}"]', state="attached")
    references = [row["Reference"] for row in table(page, CAPTION)]
    assert references == [row[0] for row in recorded(published, VIEWS["a currency"][1])]


def test_an_invoice_leads_to_its_follow_ups_and_a_follow_up_to_its_entry(page, follow_up_dashboard, published):
    (landed, *_) = published.rows("select * from recorded_entries where is_synced order by planned_at")
    go(page, follow_up_dashboard, "entries", MONTH.format(**published.rows(f"select {NEWEST} as period_code")[0]))
    (row,) = [row for row in table(page, CAPTION) if row["Reference"] == landed["reference"]]
    page.goto(follow_up_dashboard + row["History"])
    drawn(page)
    of_invoice = [one[0] for one in recorded(published, f"invoice_id = {landed['invoice_id']}")]
    assert [row["Reference"] for row in table(page, CAPTION)] == of_invoice
    page.goto(follow_up_dashboard + row["Why"])
    page.wait_for_selector(f"text=Entry {landed['entry_id']}: own record")
    drawn(page)
    assert landed["description"] in page.locator("dd").all_inner_texts()
    assert [row["Reference"] for row in table(page, CAPTION)] == of_invoice


def test_an_entry_that_no_sync_has_read_is_no_link(opened, followed_up, published):
    (gone,) = published.rows("select * from recorded_entries where entry_id is not null and not is_synced")
    shown = grid_of(opened(followed_up, view="entries", invoice=str(gone["invoice_id"])), "Reference")
    (row,) = [row for row in shown if row["Reference"] == gone["reference"]]
    assert (row["Id in Nexudus"], row["Why"]) == (str(gone["entry_id"]), "")


def test_html_and_sql_in_what_we_recorded_are_text(page, follow_up_dashboard, published):
    go(page, follow_up_dashboard, "entries", "&period=last-365-days")
    assert shown_in_spreadsheet(EVIL) in [row["Title"] for row in table(page, CAPTION)]
    assert page.title().endswith("Payment failures")
    assert page.locator(".stMain img[src=x], .stMain script").count() == 0
    assert published.rows("select count(*) as count from about") == [{"count": 1}]


def test_where_nothing_is_recorded_one_line_says_so(opened, analytics):
    shown = opened(analytics, view="entries").get("html")
    assert any("No follow-ups on the invoices of this view." in one.proto.body for one in shown)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_them(open_page, follow_up_dashboard, scheme, width):
    page = open_page(width, color_scheme=scheme)
    go(page, follow_up_dashboard, "entries", "&period=last-365-days")
    assert table(page, CAPTION)
    assert serious(page) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
