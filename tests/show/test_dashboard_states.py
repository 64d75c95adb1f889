"""Where there is nothing to show, a sentence says what to do. The app runs here without a browser."""

import pytest
from kept_data import VERSIONS, kept_file
from looking import grid_of


@pytest.fixture
def look(opened):
    """What the dashboard of a file says."""
    return lambda file, **query: "\n".join(one.proto.body for one in opened(file, **query).get("html"))


def damaged(copied, file):
    file.write_bytes(b"x" * 9999)
    return file


def with_change(change):
    return lambda copied, file: copied(file, change)


STATES = {
    "none": (lambda _, file: file, "Nothing is published yet"),
    "damaged": (damaged, "The published file cannot be read"),
    "a folder": (lambda _, file: file.mkdir() or file, "The published file cannot be read"),
    "without about": (with_change("drop table about"), "made by another version"),
    "without rates": (with_change("drop table period_payment_failure_rates"), "made by another version"),
    "without a column": (with_change("alter table businesses drop column name_source"), "made by another version"),
    "no entries": (with_change("update about set entry_count = 0"), "has no entries"),
}


@pytest.mark.parametrize(("make", "said"), STATES.values(), ids=STATES)
def test_a_file_that_cannot_be_shown_is_said_with_what_to_do(look, copied, tmp_path, make, said):
    shown = look(make(copied, tmp_path / "analytics.duckdb"))
    assert f"<h2>{said}" in shown or said in shown.partition("</h2>")[0]
    assert "nexudus-billing" in shown


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_that_an_older_version_published_is_said_with_what_to_do(look, tmp_path, version):
    shown = look(kept_file(version, "analytics.duckdb", tmp_path))
    assert "made by another version" in shown
    assert "run `nexudus-billing sync`" in shown


def test_the_demo_is_offered_where_it_was_run(look, copied, tmp_path):
    (tmp_path / "demo").mkdir()
    copied(tmp_path / "demo" / "analytics.duckdb")
    assert f"nexudus-billing dashboard --file {tmp_path}/demo/analytics.duckdb" in look(tmp_path / "analytics.duckdb")


def test_old_data_is_said_to_be_old(look, copied, tmp_path):
    file = copied(tmp_path / "a.duckdb", "update about set data_as_of_at = data_as_of_at - interval 3 day")
    assert "These figures are out of date: the data ends 3 days ago" in look(file)


def test_gaps_are_said_on_every_page(look, copied, tmp_path):
    file = copied(tmp_path / "a.duckdb", "update about set gap_count = 2")
    assert "2 ranges of the history have not been read yet" in look(file)


def test_without_names_ids_are_shown_and_one_line_says_how_to_add_names(opened, copied, tmp_path):
    file = copied(
        tmp_path / "a.duckdb",
        "update businesses set business_name = business_id::varchar, name_source = 'none'",
        "update about set named_business_count = 0",
    )
    page = opened(file)
    assert any("NEXUDUS_BUSINESSES_FILE" in one.proto.body for one in page.get("html"))
    assert "1414970" in {row["Business"] for row in grid_of(page, "Failure rate")}


def test_a_period_without_attempts_is_empty_not_an_error(look, copied, tmp_path):
    file = copied(tmp_path / "a.duckdb", "delete from period_payment_failure_rates")
    assert "No payment was attempted in this view" in look(file)


@pytest.mark.parametrize("view", ["overview", "trends", "reasons", "recovery", "worklist", "entries", "health"])
def test_every_page_is_drawn_of_every_kind_of_period(look, analytics, view):
    for period in ("last-28-days", "last-365-days"):
        assert "Published" in look(analytics, view=view, period=period)


def test_a_file_of_a_version_that_recorded_nothing_still_shows_its_entries(look, copied, tmp_path):
    file = copied(tmp_path / "a.duckdb", "drop table recorded_entries")
    shown = look(file, view="entries")
    assert "Newest first" in shown
    assert "This file has no follow-ups" in shown
    assert "nexudus-billing sync" in shown
    assert "Published" in shown


def test_of_many_follow_ups_the_newest_are_shown_and_that_is_said(opened, copied, snapshot, tmp_path):
    (whole,) = snapshot.rows(
        "select max(period_start_date) as month from reporting_periods where period_kind = 'month' and is_complete"
    )
    file = copied(
        tmp_path / "a.duckdb",
        """
        insert into recorded_entries by name
        select
            'reference-' || number as reference,
            any_value(entries.invoice_id) as invoice_id,
            'Called' as name,
            'planned' as state,
            now() + to_seconds(number) as planned_at,
            now() as changed_at,
        from range(510) as numbers (number), history_entries as entries
        where entries.invoice_id is not null and entries.month_start_date
            = (select max(period_start_date) from reporting_periods where period_kind = 'month' and is_complete)
        group by number
        """,
    )
    app = opened(file, view="entries", period=f"{whole['month']:%Y-%m}")
    assert any("only the newest 500 are shown, filter to see others" in one.proto.body for one in app.get("html"))
    references = [row["Reference"] for row in grid_of(app, "Reference")]
    assert len(references) == 500
    assert "reference-9" not in references


def test_the_worklist_is_the_open_invoices_newest_first_with_their_next_step(opened, copied, tmp_path, snapshot):
    file = copied(tmp_path / "a.duckdb", "update businesses set business_name = '=1+1' where business_id = 1414970")
    expected = snapshot.rows(
        "select open_days, open_amount, last_failure_reason from failed_invoice_recoveries"
        " where open_days is not null order by open_days, open_amount desc, invoice_id"
    )
    assert expected
    rows = grid_of(opened(file, view="worklist"), "Next step")
    assert [(row["Days open"], row["Amount"], row["Last reason"].replace(" ", "_")) for row in rows] == [
        tuple(row.values()) for row in expected
    ]
    assert all(row["Next step"].endswith(".") for row in rows)
    assert {row["Business"] for row in rows} > {"'=1+1"}


def test_a_single_business_needs_no_filter_of_businesses(look, copied, tmp_path):
    file = copied(
        tmp_path / "a.duckdb",
        "delete from businesses where business_id <> 1414970",
        "delete from history_entries where business_id <> 1414970",
    )
    assert "Failures at" in look(file) or "Nothing unusual" in look(file)
