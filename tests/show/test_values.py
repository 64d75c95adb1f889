"""Values as people read them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from pipelines.show import readable_values as as_text

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1234567.5", "JPY", "JPY 1,234,568"),
        ("1.2345", "KWD", "KWD 1.235"),
        ("1234.5", "GBP", "GBP 1,234.50"),
        ("-0.005", "EUR", "EUR -0.01"),
        ("99999999999999.9999", "USD", "USD 100,000,000,000,000.00"),
        ("5", None, "no currency 5.00"),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(amount, currency, text):
    assert as_text.money(Decimal(amount), currency) == text


def test_what_is_not_known_is_a_dash():
    assert {as_text.money(None, "GBP"), as_text.percent(None), as_text.points(None), as_text.day(None)} == {"\u2013"}


def test_ratios_are_percent_and_differences_are_points():
    assert as_text.percent(0.1454) == "14.5%"
    assert as_text.points(-0.0123) == "\u22121.2 points"
    assert as_text.interval(0.1, 0.25) == "95 % interval 10.0% to 25.0%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "just now"), (600, "10 minutes ago"), (3600, "1 hour ago"), (86400 * 3, "3 days ago"), (-50, "just now")],
)
def test_how_long_ago_is_said_in_plain_words(seconds, text):
    assert as_text.ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_data_is_stale_after_a_missed_daily_sync():
    assert not as_text.is_stale(NOW - timedelta(hours=35), NOW)
    assert as_text.is_stale(NOW - timedelta(hours=37), NOW)
    assert as_text.is_stale(None, NOW)


def test_periods_have_names():
    assert as_text.period("2025-Q3", "quarter", date(2025, 7, 1), date(2025, 9, 30)) == "Q3 2025"
    assert as_text.period("last-28-days", "rolling", date(2025, 6, 3), date(2025, 6, 30)) == "Last 28 days"
