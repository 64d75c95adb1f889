"""Given failures, expected recoveries and cohorts."""

from datetime import timedelta

import pytest
from given import EXPIRED, NO_FUNDS, START, SUCCESS, close_until, entry, land, model, row, rows

RECOVERIES = "select * from model.failed_invoice_recoveries order by invoice_id"


def after(days):
    return START + timedelta(days=days)


def test_paid_by_any_means_is_recovered_and_how_is_said(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, paid_on=after(3)),
        entry(2, 2, NO_FUNDS, paid_on=after(5)),
        entry(3, 2, SUCCESS, 4, paid_on=after(5)),
        entry(4, 3, SUCCESS, -1, paid_on=after(2)),
        entry(5, 3, EXPIRED, paid_on=after(2)),
        entry(6, 4, SUCCESS),
    )
    model(warehouse, "failed_invoice_recoveries")
    found = [
        (each["invoice_id"], each["recovered_by"], each["days_to_recover"]) for each in rows(warehouse, RECOVERIES)
    ]
    assert found == [(1, "other_means", 3), (2, "retry", 5), (3, "other_means", 2)]


def test_a_success_that_left_the_invoice_unpaid_is_no_recovery(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS), entry(2, 1, SUCCESS, 2), entry(3, 1, EXPIRED, 4))
    model(warehouse, "failed_invoice_recoveries")
    found = row(warehouse, RECOVERIES)
    assert (found["recovery_state"], found["failed_attempt_count"]) == ("open", 2)
    assert (found["first_failure_reason"], found["last_failure_reason"]) == ("insufficient_funds", "card_expired")


def test_a_payment_entered_by_its_date_is_never_before_the_failure_of_that_day(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS, paid_on=START.replace(hour=0)))
    model(warehouse, "failed_invoice_recoveries")
    assert row(warehouse, RECOVERIES)["days_to_recover"] == 0


def test_days_to_recover_are_calendar_days_of_the_reporting_zone(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS, START.replace(hour=3), paid_on=START.replace(hour=6)))
    model(warehouse, "failed_invoice_recoveries", zone="America/New_York")
    found = row(warehouse, RECOVERIES)
    assert (str(found["first_failed_date"]), found["days_to_recover"]) == ("2025-03-02", 1)


@pytest.mark.parametrize(
    ("age", "band"), [(0, "0-30"), (30, "0-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"), (91, "91+")]
)
def test_what_is_open_ages_from_its_first_failure(warehouse, age, band):
    land(warehouse, entry(1, 1, NO_FUNDS))
    close_until(warehouse, after(age))
    model(warehouse, "failed_invoice_recoveries")
    found = row(warehouse, RECOVERIES)
    assert (found["open_days"], found["ageing_band"]) == (age, band)


def test_a_cohort_counts_only_invoices_old_enough(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, 0, amount="10", paid_on=after(2)),
        entry(2, 2, NO_FUNDS, 4, amount="20", paid_on=after(5)),
        entry(3, 3, NO_FUNDS, 6, amount="40"),
        entry(4, 4, NO_FUNDS, 0, amount="80", refunded=True, paid_on=after(1)),
    )
    close_until(warehouse, after(8))  # the last complete day is the seventh after START
    model(warehouse, "recovery_cohorts")
    cohort = row(warehouse, "select * from model.recovery_cohorts")
    by_days = {
        days: (
            cohort[f"observed_{days}_day_count"],
            cohort[f"recovered_{days}_day_count"],
            cohort[f"recovered_{days}_day_ratio"],
        )
        for days in (1, 3, 7, 14)
    }
    assert by_days == {1: (4, 1, 1 / 4), 3: (3, 2, 2 / 3), 7: (2, 1, 1 / 2), 14: (0, 0, None)}
    assert cohort["recovered_3_day_amount_ratio"] == 30 / 110
    assert (cohort["recovery_ratio"], cohort["recovery_amount_ratio"]) == (2 / 4, 30 / 150)
    assert (cohort["open_invoice_count"], cohort["refunded_invoice_count"]) == (1, 1)
