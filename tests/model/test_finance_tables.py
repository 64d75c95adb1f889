"""What finance asks next: retries, timing, customers, money at risk, what is expected, and what drove a change."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from given import EXPIRED, NO_FUNDS, START, SUCCESS, close_until, entry, land, model, row, rows
from test_oracle import AS_OF, ZONE, Invoice, expected_recovery, local, random_history

TABLES = (
    "customers",
    "daily_amounts_at_risk",
    "expected_recoveries",
    "open_failed_amounts",
    "payment_timing",
    "period_payment_failure_rates",
    "rate_change_drivers",
    "retry_outcomes",
)


def test_a_change_is_split_into_businesses_reasons_and_mix(warehouse):
    numbers = iter(range(1, 200))
    given = []
    for business, month, texts in (
        (1, 4, [NO_FUNDS] + [SUCCESS] * 9),
        (1, 5, [NO_FUNDS] * 2 + [EXPIRED] + [SUCCESS] * 7),
        (2, 4, [EXPIRED] * 5 + [SUCCESS] * 5),
        (2, 5, [EXPIRED] * 15 + [SUCCESS] * 15),
    ):
        for text in texts:
            number = next(numbers)
            given.append(entry(number, number, text, datetime(2025, month, 10, 9, tzinfo=UTC), business=business))
    land(warehouse, entry(999, 999, "Sent.", name="Invoice sent"), *given)
    close_until(warehouse, datetime(2025, 6, 1, tzinfo=UTC))
    model(warehouse, "rate_change_drivers", "period_payment_failure_rates")

    found = rows(warehouse, "select * from model.rate_change_drivers where period_code = '2025-05'")

    # 6 of 20 failed in April, 18 of 40 in May. Business 1 has half, then a quarter of the first attempts: 0.375 x 0.1
    # for each of its reasons; and its fewer, better ones make the rest worse: -0.25 x (0.2 - 0.375).
    parts = {(each["business_id"], each["failure_reason"]): each["driven_change_ratio"] for each in found}
    assert parts == {
        (1, "insufficient_funds"): pytest.approx(0.0375),
        (1, "card_expired"): pytest.approx(0.0375),
        (1, None): pytest.approx(0.04375),
        (2, "card_expired"): pytest.approx(0),
        (2, None): pytest.approx(0.03125),
    }
    assert [each["total_change_ratio"] for each in found] == [pytest.approx(0.15)] * 5
    assert sum(parts.values()) == pytest.approx(0.15)


def test_what_is_expected_follows_the_curve_from_the_day_reached(warehouse):
    # Of 40 invoices 20 are recovered on day 2, the rest is open for 100 days. Two are open since yesterday.
    old = [
        entry(number, number, NO_FUNDS, paid_on=START + timedelta(days=2) if number <= 20 else None)
        for number in range(1, 41)
    ]
    young = [entry(41, 41, NO_FUNDS, 99), entry(42, 42, EXPIRED, 99, amount="10")]
    land(warehouse, *old, *young)
    close_until(warehouse, START + timedelta(days=100))
    model(warehouse, "expected_recoveries")

    found = row(warehouse, "select * from model.expected_recoveries where is_all_businesses and ageing_band = '0-30'")

    assert (found["open_invoice_count"], found["pooled_invoice_count"], found["unknown_invoice_count"]) == (2, 1, 0)
    assert (found["open_amount"], found["expected_amount"]) == (Decimal(110), Decimal(55))
    # The outcomes' variance, 100^2 / 4 + 10^2 / 4, and Wilson's reach for 20 of 40, of the two amounts together.
    assert float(found["expected_low_amount"]) == pytest.approx(0)
    assert found["expected_high_amount"] == Decimal(110)
    whole = row(
        warehouse,
        "select * from model.expected_recoveries where is_all_businesses and is_all_reasons and is_all_bands",
    )
    assert (whole["open_amount"], whole["expected_amount"]) == (Decimal(2110), Decimal(55))


def test_a_range_of_many_invoices_is_narrower_than_all_or_nothing(warehouse):
    old = [
        entry(number, number, NO_FUNDS, paid_on=START + timedelta(days=2) if number <= 200 else None)
        for number in range(1, 401)
    ]
    land(warehouse, *old, *(entry(number, number, NO_FUNDS, 99) for number in range(401, 501)))
    close_until(warehouse, START + timedelta(days=100))
    model(warehouse, "expected_recoveries")

    found = row(warehouse, "select * from model.expected_recoveries where is_all_businesses and ageing_band = '0-30'")

    # 100 invoices of 100 at 1/2: outcomes 1.96 x 500 = 980; Wilson for 200 of 400 reaches 0.0488, so 488 of 10,000.
    assert found["expected_amount"] == 5000
    assert float(found["expected_low_amount"]) == pytest.approx(5000 - (980**2 + 488**2) ** 0.5, abs=1)
    assert float(found["expected_high_amount"]) == pytest.approx(5000 + (980**2 + 488**2) ** 0.5, abs=1)


@pytest.fixture
def invoices(warehouse):
    """A random history with customers, modelled; and its invoices as the oracle sees them."""
    entries = random_history(1)
    for each in entries:
        each["coworker_invoice_coworker_id"] = each["coworker_invoice_id"] % 40 or None
    land(warehouse, *entries)
    close_until(warehouse, AS_OF)
    model(warehouse, *TABLES, zone=ZONE)
    by_invoice = defaultdict(list)
    for each in entries:
        by_invoice[each["coworker_invoice_id"]].append(each)
    told = {number: Invoice(each) for number, each in by_invoice.items()}
    return {number: each for number, each in told.items() if each.counts and each.attempts}


def test_the_tables_agree_with_plain_python(warehouse, invoices):
    tried, timing, customers = Counter(), Counter(), defaultdict(Counter)
    risk = defaultdict(lambda: [Decimal(0), 0])
    end = local(AS_OF)
    for number, invoice in invoices.items():
        _, currency = invoice.group
        amount = invoice.amount or Decimal(0)
        for (before_day, before, _), (day, outcome, _) in zip(invoice.attempts, invoice.attempts[1:], strict=False):
            if before == "failed":
                tried[currency, "retries"] += 1
                tried[currency, "succeeded"] += outcome == "succeeded"
                tried[currency, "same day"] += day == before_day
        day, outcome, at = invoice.attempts[0]
        hour = at.astimezone(ZoneInfo(ZONE)).hour
        for kind, place in (("weekday", day.isoweekday()), ("day_of_month", day.day), ("hour", hour)):
            timing[currency, kind, place, "all"] += 1
            timing[currency, kind, place, "failed"] += outcome == "failed"
        customer = customers[number % 40 or None, currency]
        failed = [day for day, outcome, _ in invoice.attempts if outcome == "failed"]
        customer["attempts"] += len(invoice.attempts)
        customer["failed"] += len(failed)
        customer["recent failed"] += sum(day > end - timedelta(days=90) for day in failed)
        customer["collected"] += len(failed) < len(invoice.attempts)
        if not failed:
            continue
        state, days, _, _ = expected_recovery(invoice)
        customer["open"] += (state == "open") * amount
        if state == "open" or days is not None:
            resolved = min(failed[0] + timedelta(days=days), end) if days is not None else date.max
            for offset in range((min(resolved, end + timedelta(days=1)) - failed[0]).days):
                each = risk[currency, failed[0] + timedelta(days=offset)]
                each[0] += amount
                each[1] += 1

    found = warehouse.execute(
        "select currency_code, sum(retry_count) filter (where is_all_waits), sum(succeeded_retry_count) filter"
        " (where is_all_waits), coalesce(sum(retry_count) filter (where days_band = '0'), 0) from model.retry_outcomes"
        " where is_all_businesses and is_all_reasons and is_all_attempts group by all"
    ).fetchall()
    assert {code: (count, good, same) for code, count, good, same in found} == {
        code: (tried[code, "retries"], tried[code, "succeeded"], tried[code, "same day"]) for code, *_ in found
    }
    found = warehouse.execute(
        "select currency_code, timing_kind, timing_number, first_attempt_count, failed_first_attempt_count"
        " from model.payment_timing where is_all_businesses"
    ).fetchall()
    assert {each[:3]: each[3:] for each in found} == {
        place[:3]: (count, timing[*place[:3], "failed"]) for place, count in timing.items() if place[3] == "all"
    }
    found = warehouse.execute(
        "select coworker_id, currency_code, attempt_count, failed_attempt_count, failed_attempt_90_day_count,"
        " collected_invoice_count, open_amount from model.customers"
    ).fetchall()
    assert {each[:2]: each[2:] for each in found} == {
        key: tuple(each[name] for name in ("attempts", "failed", "recent failed", "collected", "open"))
        for key, each in customers.items()
    }
    found = warehouse.execute(
        "select currency_code, day_date, at_risk_amount, at_risk_invoice_count from model.daily_amounts_at_risk"
        " where is_all_businesses and at_risk_invoice_count > 0"
    ).fetchall()
    assert {each[:2]: list(each[2:]) for each in found} == dict(risk)
