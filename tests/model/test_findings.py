"""Findings: sentences made of published columns, the most important first, and none where there is little to say."""

from datetime import UTC, datetime, timedelta

from given import EXPIRED, NO_FUNDS, SUCCESS, close_until, entry, land, model, row, rows

from pipelines.publish.analytics import load_views

# Nothing was ever paid late in these histories.
HOPE = ", about 0 % of it likely to be recovered"
FIRST = datetime(2025, 1, 1, 9, tzinfo=UTC)
(FINDINGS,) = [view for view in load_views() if view.name == "findings"]


def attempts(first_id, days, failed, *, tried=10, business=7, reason=NO_FUNDS, **facts):
    """That number of attempts each day, each on an invoice of its own, of which that number fail."""
    for day in days:
        for place in range(tried):
            number = first_id + 100 * day + place
            text = reason if place < failed else SUCCESS
            yield entry(number, number, text, FIRST + timedelta(days=day), business=business, **facts)


def told(connection, until_day):
    close_until(connection, FIRST + timedelta(days=until_day, hours=6))
    model(connection)
    return rows(connection, f"from ({FINDINGS.sql}) order by finding_number")


def test_a_calm_business_gives_nothing_to_say(warehouse):
    land(warehouse, *attempts(1, range(150), 1))
    assert told(warehouse, 150) == []


def test_a_rate_that_rose_is_told_with_its_size_reason_and_amount(warehouse):
    land(warehouse, *attempts(1, range(140), 1), *attempts(1, range(140, 150), 4))
    (finding,) = told(warehouse, 150)
    # The rate before rests on 119 days of ten attempts, shrunk by ten more at one in ten: exactly 10 %. Ten days with
    # four failures each, 100 GBP the invoice: 40 invoices open.
    assert finding["finding"] == (
        f"Failures at 7 rose from 10 % to 40 % since 21 May 2025, mostly insufficient funds; GBP 4,000 at risk{HOPE}."
    )
    assert (finding["open_invoice_count"], finding["open_amount"]) == (40, 4000)
    incident = row(warehouse, "from model.incidents")
    assert (incident["watched_count"], incident["observed_count"], incident["expected_count"]) == (100, 40, 10)
    assert (incident["leading_failure_reason"], incident["leading_failure_reason_ratio"]) == ("insufficient_funds", 1)
    assert (incident["failed_invoice_count"], incident["is_open"]) == (40, True)
    assert incident["detected_on_date"] - incident["started_on_date"] <= timedelta(days=3)


def test_several_are_ordered_by_what_lasts_and_by_size_and_named(warehouse):
    warehouse.execute("insert into land.business_names by name select 8 as business_id, 'Leith' as business_name")
    land(
        warehouse,
        *attempts(1, range(140), 1),
        *attempts(1, range(140, 150), 4),
        *attempts(100_001, range(140), 1, business=8, currency=None),
        *attempts(100_001, range(140, 150), 8, business=8, reason=EXPIRED, currency=None),
        *attempts(200_001, range(143), 1, business=9),
    )
    sentences = [each["finding"] for each in told(warehouse, 150)]
    # Beyond the usual a day: 10 entries missing, 7 failures, 3 failures.
    assert sentences == [
        "No entry at 9 since 24 May 2025, where about 70 would be usual.",
        f"Failures at Leith rose from 10 % to 80 % since 21 May 2025, mostly card expired; 8,000 at risk{HOPE}.",
        f"Failures at 7 rose from 10 % to 40 % since 21 May 2025, mostly insufficient funds; GBP 4,000 at risk{HOPE}.",
    ]


def test_what_ended_long_ago_and_what_rests_on_few_failures_is_not_told(warehouse):
    land(
        warehouse,
        *attempts(1, range(100), 1),
        *attempts(1, range(100, 110), 5),
        *attempts(1, range(110, 170), 1),
        *attempts(100_001, range(166), 0, tried=1, business=8),
        *attempts(100_001, range(166, 170), 1, tried=1, business=8),
    )
    assert told(warehouse, 170) == []
    assert row(warehouse, "select count(*)::int as incidents from model.incidents")["incidents"] >= 2


def test_a_single_bad_day_is_told_as_such(warehouse):
    land(warehouse, *attempts(1, range(148), 1), *attempts(1, [148], 9), *attempts(1, [149], 1))
    (finding,) = told(warehouse, 150)
    assert finding["finding"] == (
        "9 of 10 payments at 7 failed on 29 May 2025, where 1 would be usual, mostly insufficient funds;"
        f" GBP 900 at risk{HOPE}."
    )
