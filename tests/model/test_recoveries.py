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


def test_a_bare_date_of_payment_keeps_its_day_west_of_utc(warehouse):
    # 3 March by its date; the first failure is on 3 March in New York too, at 15:00 UTC.
    failed = START.replace(hour=15)
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, failed, paid_on=START.replace(hour=0)),
        entry(2, 2, NO_FUNDS, failed, paid_on=START.replace(day=5, hour=0)),
    )
    model(warehouse, "failed_invoice_recoveries", zone="America/New_York")
    found = [(each["recovery_state"], each["days_to_recover"]) for each in rows(warehouse, RECOVERIES)]
    assert found == [("recovered", 0), ("recovered", 2)]


def test_a_retry_at_midnight_utc_is_no_bare_date(warehouse):
    # 20:00 and 16:00 of 3 March in New York; PaidOn lies before both.
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, START.replace(hour=21), paid_on=START.replace(hour=1)),
        entry(2, 1, SUCCESS, START.replace(day=START.day + 1, hour=0), paid_on=START.replace(hour=1)),
    )
    model(warehouse, "failed_invoice_recoveries", zone="America/New_York")
    found = row(warehouse, RECOVERIES)
    assert (found["recovery_state"], found["recovered_by"], found["days_to_recover"]) == ("recovered", "retry", 0)


def test_an_invoice_that_was_paid_before_it_failed_is_none_that_recovered(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, 3, paid_on=after(1)),
        entry(2, 2, NO_FUNDS, 3, paid_on=START.replace(day=5, hour=0)),
        entry(3, 3, NO_FUNDS, 3, paid_on=after(1)),
        entry(4, 3, SUCCESS, 5, paid_on=after(1)),
    )
    model(warehouse, "failed_invoice_recoveries", "recovery_cohorts", "currency_recovery_cohorts")
    found = [(each["recovery_state"], each["days_to_recover"]) for each in rows(warehouse, RECOVERIES)]
    assert found == [("paid_before", None), ("paid_before", None), ("recovered", 2)]
    for table in ("recovery_cohorts", "currency_recovery_cohorts"):
        cohort = row(warehouse, f"select * from model.{table}")
        assert (cohort["recovered_invoice_count"], cohort["paid_before_invoice_count"]) == (1, 2)


@pytest.fixture
def young_cohort(warehouse):
    """Paid after 2 days, paid after 1, too young after 1, refunded after 3; observed up to the seventh day."""
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, 0, amount="10", paid_on=after(2)),
        entry(2, 2, NO_FUNDS, 4, amount="20", paid_on=after(5)),
        entry(3, 3, NO_FUNDS, 6, amount="40"),
        entry(4, 4, NO_FUNDS, 0, amount="80", refunded=True, coworker_invoice_refunded_on=after(3), paid_on=after(1)),
    )
    close_until(warehouse, after(8))
    model(warehouse, "recovery_cohorts", "currency_recovery_cohorts")
    return warehouse


def test_a_cohort_uses_each_invoice_for_as_long_as_it_was_observed(young_cohort):
    cohort = row(young_cohort, "select * from model.recovery_cohorts")
    # Day 1: one of four. Day 2: one of the two still there, of the 3/4 left. Day 3: the last is refunded, none is left.
    shares = [cohort[f"recovered_{days}_day_ratio"] for days in (1, 3, 7)]
    assert shares == [1 / 4, 1 / 4 + 3 / 4 * 1 / 2, 5 / 8]
    by_amount = [cohort[f"recovered_{days}_day_amount_ratio"] for days in (1, 3)]
    assert by_amount == pytest.approx([20 / 150, 20 / 150 + 130 / 150 * 10 / 90])
    assert [cohort[f"observed_{days}_day_count"] for days in (1, 3, 7, 14)] == [4, 3, 2, 0]
    assert (cohort["recovery_ratio"], cohort["recovery_amount_ratio"]) == (2 / 4, 30 / 150)
    assert (cohort["open_invoice_count"], cohort["refunded_invoice_count"]) == (1, 1)
    assert (cohort["median_days_to_recover"], cohort["half_recovered_days"]) == (1.5, 2)


def test_the_cohorts_of_a_currency_have_the_refunds_too(young_cohort):
    cohort = row(young_cohort, "select * from model.currency_recovery_cohorts")
    states = ("recovered", "paid_before", "open", "refunded")
    assert sum(cohort[f"{state}_amount"] for state in states) == cohort["failed_amount"] == 150
    assert cohort["refunded_amount"] == 80


def test_where_all_are_observed_the_interval_is_wilsons(warehouse):
    land(
        warehouse,
        *(entry(n, n, NO_FUNDS, paid_on=after(n % 7) if n <= 81 else None) for n in range(1, 264)),
    )
    close_until(warehouse, after(40))
    model(warehouse, "recovery_cohorts")
    cohort = row(warehouse, "select * from model.recovery_cohorts")
    # 81 of 263: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    ends = cohort["recovered_7_day_low_ratio"], cohort["recovered_7_day_high_ratio"]
    assert [round(end, 4) for end in ends] == [0.2553, 0.3662]


def test_where_all_are_recovered_the_interval_is_wilsons_too(warehouse):
    land(warehouse, *(entry(number, number, NO_FUNDS, paid_on=after(number % 5)) for number in range(1, 21)))
    close_until(warehouse, after(40))
    model(warehouse, "recovery_curves")
    ends = "select distinct recovered_low_ratio, recovered_high_ratio from model.recovery_curves"
    found = row(warehouse, f"{ends} where days_since_failure = 28")
    # 20 of 20: 1 / (1 + 1.96^2 / 20), Wilson's lower bound where all succeed.
    assert (round(found["recovered_low_ratio"], 4), found["recovered_high_ratio"]) == (0.8389, 1)


def test_a_share_of_days_that_no_invoice_has_reached_is_null(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS, paid_on=after(1)), entry(2, 2, NO_FUNDS))
    close_until(warehouse, after(5))
    model(warehouse, "recovery_cohorts")
    cohort = row(warehouse, "select * from model.recovery_cohorts")
    assert [cohort[f"recovered_{days}_day_ratio"] for days in (1, 3, 7)] == [1 / 2, 1 / 2, None]


def test_what_is_open_without_an_amount_is_0_not_null(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS, amount=None))
    model(warehouse, "failed_invoice_recoveries", "daily_amounts_at_risk")
    assert row(warehouse, "select open_amount from model.failed_invoice_recoveries") == {"open_amount": 0}
