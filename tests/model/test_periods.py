"""Periods and the comparison with the one before: one sentence of the definitions each."""

from datetime import date, timedelta

import pytest
from given import NO_FUNDS, START, SUCCESS, close_until, entry, land, model, row, rows

OF_PERIOD = (
    "select * from model.period_payment_failure_rates where is_all_businesses and currency_code = 'GBP'"
    " and period_code = '{}'"
)


def attempts(first_id, failed, succeeded, at, business=7):
    texts = [NO_FUNDS] * failed + [SUCCESS] * succeeded
    return [entry(first_id + i, first_id + i, text, at, business=business) for i, text in enumerate(texts)]


@pytest.fixture
def two_months(warehouse):
    """March (from the 3rd) and April 2025 whole, May to the 9th; two businesses; twelve times worse in April."""
    land(
        warehouse,
        *attempts(1000, 2, 98, 5),
        *attempts(2000, 18, 32, 40),
        *attempts(3000, 6, 44, 40, business=8),
        *attempts(4000, 1, 9, 60),
    )
    close_until(warehouse, START + timedelta(days=67, hours=2))
    model(
        warehouse,
        "currency_recovery_cohorts",
        "period_failure_reasons",
        "period_payment_failure_rates",
        "reporting_periods",
    )
    return warehouse


def test_a_rate_of_all_businesses_is_of_their_sums_not_the_mean_of_their_rates(two_months):
    april = row(two_months, OF_PERIOD.format("2025-04"))
    assert (april["failed_attempt_count"], april["attempt_count"]) == (24, 100)
    assert april["attempt_failure_ratio"] == pytest.approx(0.24)
    of_each = rows(
        two_months,
        "select business_id, attempt_failure_ratio from model.period_payment_failure_rates"
        " where period_code = '2025-04' and not is_all_businesses order by 1",
    )
    assert [(each["business_id"], each["attempt_failure_ratio"]) for each in of_each] == [(7, 0.36), (8, 0.12)]


def test_a_change_is_against_the_whole_period_before_and_says_when_it_is_more_than_chance(two_months):
    may = row(two_months, OF_PERIOD.format("2025-05"))
    assert (may["previous_failed_attempt_count"], may["previous_attempt_count"]) == (0, 0)
    assert may["attempt_failure_change_ratio"] is None
    assert may["is_significant_change"] is False
    quarter = row(two_months, OF_PERIOD.format("2025-Q2"))
    assert quarter["previous_attempt_count"] is None  # the data begins within the quarter before


def test_the_interval_of_a_change_is_newcombes(two_months):
    # Newcombe 1998, table II (b): 9/10 against 3/10 gives 0.1705 to 0.8090 by method 10.
    land(
        two_months,
        *attempts(5000, 9, 1, 100, business=9),
        *attempts(6000, 3, 7, 70, business=9),
    )
    close_until(two_months, START + timedelta(days=130))
    model(
        two_months,
        "currency_recovery_cohorts",
        "period_failure_reasons",
        "period_payment_failure_rates",
        "monthly_payment_failure_rates",
        "reporting_periods",
    )
    changes = "select first_attempt_failure_change_ratio, is_significant_change from model"
    (monthly,) = two_months.execute(
        f"{changes}.monthly_payment_failure_rates where business_id = 9 and month_start_date = date '2025-06-01'"
    ).fetchall()
    assert monthly == (pytest.approx(0.6), True)
    june = row(
        two_months,
        "select * from model.period_payment_failure_rates where business_id = 9 and period_code = '2025-06'",
    )
    assert june["attempt_failure_change_ratio"] == pytest.approx(0.6)
    assert june["attempt_failure_change_low_ratio"] == pytest.approx(0.1705, abs=5e-5)
    assert june["attempt_failure_change_high_ratio"] == pytest.approx(0.8090, abs=5e-5)
    assert june["is_significant_change"] is True


def test_a_day_is_compared_with_the_weekday_a_week_before_and_a_month_with_the_month_before(warehouse):
    land(
        warehouse,
        *attempts(1000, 2, 98, -1),
        *attempts(2000, 10, 90, 2),
        *attempts(3000, 40, 60, 9),
        *attempts(4000, 1, 9, 16),
        *attempts(5000, 5, 95, 40),
    )
    close_until(warehouse, START + timedelta(days=16, hours=8))
    model(warehouse, "daily_payment_failure_rates", "monthly_payment_failure_rates")
    changes = "first_attempt_failure_change_ratio, is_significant_change, compared_count, is_complete"
    found = warehouse.execute(f"select {changes} from model.daily_payment_failure_rates order by day_date").fetchall()
    assert found == [
        (None, False, 0, True),  # the first days have none before
        (None, False, 0, True),
        (pytest.approx(0.3), True, 1, True),
        (None, False, 0, False),  # not over yet
    ]
    found = warehouse.execute(f"select {changes} from model.monthly_payment_failure_rates").fetchall()
    assert found == [(None, False, 0, False)]


@pytest.mark.parametrize(("business_count", "is_significant"), [(1, True), (10, False)])
def test_of_many_businesses_one_change_has_to_be_less_likely_to_count(warehouse, business_count, is_significant):
    # 30 against 17 of 100 by chance: about 3 %. Of ten businesses, one in three periods has such a change.
    land(
        warehouse,
        entry(99999, 99999, "Sent.", -40, name="Invoice sent"),
        *(
            each
            for business in range(business_count)
            for month, failed in ((0, 17), (1, 17 if business else 30))
            for each in attempts(1000 * business + 100 * month + 1, failed, 100 - failed, 30 * month, business=business)
        ),
    )
    close_until(warehouse, START + timedelta(days=60))
    model(warehouse, "period_payment_failure_rates")
    found = row(
        warehouse,
        "select * from model.period_payment_failure_rates where business_id = 0 and period_code = '2025-04'",
    )
    assert (found["compared_count"], found["is_significant_change"]) == (business_count, is_significant)
    assert found["first_attempt_failure_change_low_ratio"] > 0


def test_a_period_that_still_runs_is_compared_with_as_many_days(two_months):
    may = row(two_months, "select * from model.reporting_periods where period_code = '2025-05'")
    assert (may["is_complete"], may["data_until_date"]) == (False, date(2025, 5, 9))
    assert (may["previous_start_date"], may["previous_end_date"]) == (date(2025, 4, 1), date(2025, 4, 9))


def test_rolling_periods_end_on_the_last_whole_day(two_months):
    days = row(two_months, "select * from model.reporting_periods where period_code = 'last-28-days'")
    assert (days["period_start_date"], days["period_end_date"]) == (date(2025, 4, 11), date(2025, 5, 8))
    assert days["previous_end_date"] == date(2025, 4, 10)


def test_reasons_of_a_period_add_up_to_its_failed_attempts(two_months):
    differing = rows(
        two_months,
        """
        select rates.period_code, rates.business_id, rates.failed_attempt_count, sum(reasons.failed_attempt_count)
        from model.period_payment_failure_rates as rates
        left join model.period_failure_reasons as reasons
            on
                rates.period_code = reasons.period_code
                and rates.is_all_businesses = reasons.is_all_businesses
                and rates.business_id is not distinct from reasons.business_id
                and rates.currency_code is not distinct from reasons.currency_code
        group by all
        having rates.failed_attempt_count <> coalesce(sum(reasons.failed_attempt_count), 0)
        """,
    )
    assert differing == []


def test_cohorts_of_all_businesses_are_sums(two_months):
    assert row(
        two_months,
        "select failed_invoice_count as count from model.currency_recovery_cohorts"
        " where month_start_date = date '2025-04-01'",
    ) == {"count": 24}
