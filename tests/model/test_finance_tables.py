"""What finance asks next: retries, timing, customers, money at risk, what is expected, and what drove a change."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from given import EXPIRED, NO_FUNDS, START, SUCCESS, close_until, entry, land, model, row, rows
from test_oracle import AS_OF, TEXTS, ZONE, Invoice, expected_recovery, local, random_history
from tested_warehouse import empty_warehouse

REASON_NAMES = {"": "", "funds": "insufficient_funds", "expired": "card_expired", "mandate": "no_payment_method"}
COUNTED = (
    "attempt_count",
    "failed_attempt_count",
    "first_attempt_count",
    "failed_first_attempt_count",
    "failed_amount",
)
TABLES = (
    "begun_payment_failure_rates",
    "currency_recovery_cohorts",
    "customers",
    "daily_amounts_at_risk",
    "expected_recoveries",
    "payment_timing",
    "period_failure_reasons",
    "period_payment_failure_rates",
    "rate_change_drivers",
    "recovery_cohorts",
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


def test_on_the_first_of_a_month_the_change_against_one_day_has_its_reasons(warehouse):
    first_of = {month: datetime(2025, month, 1, 9, tzinfo=UTC) for month in (5, 6)}
    texts = [(5, NO_FUNDS), (5, SUCCESS), (6, SUCCESS), (6, SUCCESS)]
    given = [entry(number, number, text, first_of[month]) for number, (month, text) in enumerate(texts, 1)]
    land(warehouse, entry(999, 999, "Sent.", name="Invoice sent"), *given)
    close_until(warehouse, datetime(2025, 6, 1, 12, tzinfo=UTC))

    model(warehouse, "rate_change_drivers", "period_payment_failure_rates")

    found = rows(warehouse, "select * from model.rate_change_drivers where period_code = '2025-06'")
    assert {each["failure_reason"]: each["driven_change_ratio"] for each in found} == {
        "insufficient_funds": pytest.approx(-0.5),
        None: pytest.approx(0),
    }


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
    each = rows(warehouse, "select * from model.expected_invoice_recoveries where invoice_id >= 41 order by invoice_id")
    assert [(one["recovery_probability"], one["expected_amount"], one["is_pooled"]) for one in each] == [
        (0.5, 50, False),
        (0.5, 5, True),
    ]


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


def test_the_rate_of_a_month_so_far_grows_from_day_to_day_and_begins_anew(warehouse):
    given = [(1, 4, 30, NO_FUNDS), (2, 5, 2, NO_FUNDS), (3, 5, 2, SUCCESS), (4, 5, 9, SUCCESS), (5, 5, 9, SUCCESS)]
    land(
        warehouse,
        *(
            entry(number, number, text, datetime(2025, month, day, 9, tzinfo=UTC), business=number % 2)
            for number, month, day, text in given
        ),
    )
    close_until(warehouse, datetime(2025, 6, 1, tzinfo=UTC))
    model(warehouse, "month_rates_so_far")

    found = rows(warehouse, "select * from model.month_rates_so_far where is_all_businesses order by day_date")

    assert [(row["day_of_month"], row["failed_first_attempt_count"], row["first_attempt_count"]) for row in found] == [
        (30, 1, 1),
        (2, 1, 2),
        (9, 1, 4),
    ]
    assert [row["first_attempt_failure_ratio"] for row in found] == [1, 0.5, 0.25]


@pytest.fixture(scope="module")
def history():
    """A random history with customers, modelled; and all its invoices that count as the oracle sees them."""
    entries = random_history(1)
    for each in entries:
        each["coworker_invoice_coworker_id"] = each["coworker_invoice_id"] % 40 or None
    by_invoice = defaultdict(list)
    for each in entries:
        by_invoice[each["coworker_invoice_id"]].append(each)
    told = {number: Invoice(each) for number, each in by_invoice.items()}
    with empty_warehouse() as warehouse:
        land(warehouse, *entries)
        close_until(warehouse, AS_OF)
        model(warehouse, *TABLES, zone=ZONE)
        yield warehouse, {number: each for number, each in told.items() if each.counts}, entries


@pytest.fixture(scope="module")
def attempts(history):
    """Each attempt: invoice, group, amount, day, instant, number, reason (empty where it succeeded)."""
    return [
        (number, invoice.group, invoice.amount or Decimal(0), day, at, place, REASON_NAMES[reason])
        for number, invoice in history[1].items()
        for place, ((day, _, at), reason) in enumerate(zip(invoice.attempts, invoice.reasons, strict=True), 1)
    ]


def scopes(group):
    """Business and currency, and the currency of all businesses, as the tables name them."""
    return ((False, *group), (True, None, group[1]))


def test_every_attempt_is_published_with_its_number_and_reason(history, attempts):
    found = history[0].execute(
        "select invoice_id, business_id, currency_code, coalesce(invoice_amount, 0), day_date, attempted_at,"
        " attempt_number, coalesce(failure_reason, '') from model.payment_attempts"
    )
    assert {(one[0], one[1:3], *one[3:]) for one in found.fetchall()} == set(attempts)


def test_what_is_left_out_agrees_with_plain_python(history, attempts):
    warehouse, _, entries = history
    expected = Counter()
    for each in entries:
        if TEXTS[each["description"]] in {"failed", "succeeded"}:
            amount = each["coworker_invoice_total_amount"]
            is_zero = amount is not None and Decimal(amount) <= 0
            group = each["coworker_invoice_business_id"], each["coworker_invoice_business_currency_code"]
            because = (
                "deleted_entry" if each["deleted_at"] else "draft_invoice" if each["coworker_invoice_draft"] else ""
            )
            expected[group, because or ("zero_invoice" if is_zero else "reported_twice")] += 1
    for _, group, *_ in attempts:
        expected[group, "reported_twice"] -= 1
    found = warehouse.execute(
        "select business_id, currency_code, excluded_because, sum(excluded_attempt_count) from model.excluded_attempts"
        " group by all"
    )
    assert {(one[:2], one[2]): one[3] for one in found.fetchall()} == +expected


def test_periods_and_what_changed_them_agree_with_plain_python(history, attempts):
    warehouse, _, _ = history
    periods = rows(warehouse, "select * from model.reporting_periods where has_previous")
    assert len(periods) > 4
    totals, reasons = defaultdict(Counter), Counter()
    for period in periods:
        spans = {
            "": (period["period_start_date"], period["period_end_date"], None),
            "previous_": (period["previous_start_date"], period["previous_end_date"], period["previous_until_at"]),
        }
        for prefix, (first, last, until) in spans.items():
            for _, group, amount, day, at, place, reason in attempts:
                if not (first <= day <= last and (until is None or at < until)):
                    continue
                for scope in scopes(group):
                    total = totals[period["period_code"], *scope]
                    total[f"{prefix}attempt_count"] += 1
                    total[f"{prefix}failed_attempt_count"] += bool(reason)
                    total[f"{prefix}first_attempt_count"] += place == 1
                    total[f"{prefix}failed_first_attempt_count"] += place == 1 and bool(reason)
                    total[f"{prefix}failed_amount"] += bool(reason) * amount
                    if reason:
                        reasons[period["period_code"], *scope, reason, prefix] += 1
                        reasons[period["period_code"], *scope, reason, f"{prefix}first"] += place == 1
    columns = [f"{when}{name}" for when in ("", "previous_") for name in COUNTED]
    found = warehouse.execute(
        f"select period_code, is_all_businesses, business_id, currency_code, {', '.join(columns)}"
        " from model.period_payment_failure_rates inner join model.reporting_periods using (period_code)"
        " where has_previous"
    )
    published = {one[:4]: one[4:] for one in found.fetchall()}
    assert published == {key: tuple(totals[key][name] for name in columns) for key in published}
    assert published.keys() >= {key for key, total in totals.items() if total["attempt_count"]}
    found = warehouse.execute(
        "select period_code, is_all_businesses, business_id, currency_code, failure_reason, failed_attempt_count,"
        " previous_failed_attempt_count from model.period_failure_reasons"
        " inner join model.reporting_periods using (period_code) where has_previous"
    )
    assert {one[:5]: one[5:] for one in found.fetchall()} == {
        key[:5]: (reasons[*key[:5], ""], reasons[*key[:5], "previous_"])
        for key in reasons
        if reasons[key] and key[:4] in published
    }
    found = rows(warehouse, "select * from model.rate_change_drivers")
    assert len({each["period_code"] for each in found}) > 2
    for each in found:
        code, business, currency = each["period_code"], each["business_id"], each["currency_code"]
        part, whole = totals[code, False, business, currency], totals[code, True, None, currency]
        (n1, f1), (n0, f0) = firsts(part)
        (all1, bad1), (all0, bad0) = firsts(whole)
        if each["driver_kind"] == "reason":
            reason = each["failure_reason"]
            k1, k0 = (reasons[code, False, business, currency, reason, when] for when in ("first", "previous_first"))
            expected = (n1 / all1 + n0 / all0) / 2 * (k1 / n1 - k0 / n0)
        else:
            rates = [failed / count for count, failed in ((n1, f1), (n0, f0)) if count]
            mean = (rates[0] + rates[-1]) / 2 - (bad1 / all1 + bad0 / all0) / 2
            expected = (n1 / all1 - n0 / all0) * mean
        assert each["driven_change_ratio"] == pytest.approx(expected, abs=1e-12)
        assert each["total_change_ratio"] == pytest.approx(bad1 / all1 - bad0 / all0)


def firsts(total):
    """First attempts and those that failed, now and before."""
    names = ("first_attempt_count", "failed_first_attempt_count")
    return [tuple(total[f"{when}{name}"] for name in names) for when in ("", "previous_")]


def test_cohorts_and_what_is_open_agree_with_plain_python(history):
    warehouse, invoices, _ = history
    cohorts, bands = defaultdict(Counter), defaultdict(Counter)
    for invoice in invoices.values():
        failed = [day for day, outcome, _ in invoice.attempts if outcome == "failed"]
        if not failed:
            continue
        state, days, _, _ = expected_recovery(invoice)
        age, amount = (local(AS_OF) - failed[0]).days, invoice.amount or Decimal(0)
        band = next(name for most, name in ((30, "0-30"), (60, "31-60"), (90, "61-90"), (999, "91+")) if age <= most)
        if state == "open":
            bands[*invoice.group, band]["count"] += 1
            bands[*invoice.group, band]["amount"] += amount
        for scope in scopes(invoice.group):
            cohort = cohorts[*scope, failed[0].replace(day=1)]
            cohort["failed", "invoice"] += 1
            cohort["failed", "amount"] += amount
            cohort[state, "invoice"] += 1
            cohort[state, "amount"] += amount
            cohort["within 7 days"] += days is not None and days <= 7
    states = ("failed", "recovered", "paid_before", "open", "refunded")
    sums = ", ".join(f"{state}_invoice_count, {state}_amount" for state in states)
    for table, is_all, key in (("recovery_cohorts", False, "business_id"), ("currency_recovery_cohorts", True, "null")):
        found = warehouse.execute(
            f"select {key}, currency_code, month_start_date, recovered_7_day_count, {sums} from model.{table}"
        )
        assert {(is_all, *one[:3]): one[3:] for one in found.fetchall()} == {
            key: (each["within 7 days"], *(each[state, what] for state in states for what in ("invoice", "amount")))
            for key, each in cohorts.items()
            if key[0] is is_all
        }
    found = warehouse.execute(
        "select business_id, currency_code, ageing_band, count(*), sum(open_amount)"
        " from model.failed_invoice_recoveries where ageing_band is not null group by all"
    )
    assert {one[:3]: one[3:] for one in found.fetchall()} == {key: (*each.values(),) for key, each in bands.items()}


def test_by_the_month_of_its_beginning_agrees_with_plain_python(history):
    warehouse, invoices, entries = history
    pending = defaultdict(list)
    for each in entries:
        if TEXTS[each["description"]] == "pending" and not each["deleted_at"]:
            pending[each["coworker_invoice_id"]].append(each["created_on"])
    expected = defaultdict(Counter)
    for number, invoice in invoices.items():
        begun = [*pending[number], *(at for *_, at in invoice.attempts[:1])]
        if not begun:
            continue
        outcome = "closed" if invoice.paid_on or invoice.refunded else "in_flight" if invoice.pending else "lost"
        state = invoice.attempts[0][1] if invoice.attempts else outcome
        month = expected[*invoice.group, local(min(begun)).replace(day=1)]
        month[state] += 1
        month["no_method"] += bool(invoice.attempts) and invoice.reasons[0] == "mandate"
    states = ("succeeded", "failed", "in_flight", "lost", "closed", "no_method")
    counts = ", ".join(f"{state}_first_payment_count" for state in states)
    found = warehouse.execute(
        f"select business_id, currency_code, month_start_date, {counts} from model.begun_payment_failure_rates"
    )
    assert {one[:3]: one[3:] for one in found.fetchall()} == {
        key: tuple(each[name] for name in states) for key, each in expected.items()
    }


def test_the_tables_agree_with_plain_python(history):
    warehouse, invoices, _ = history
    invoices = {number: each for number, each in invoices.items() if each.attempts}
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
