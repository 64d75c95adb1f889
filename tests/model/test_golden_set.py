"""Twelve entries, each figure to the last digit: the worked example of docs/figures.md."""

import pytest
from given import EXPIRED, IN_FLIGHT, NO_FUNDS, NO_MANDATE, START, SUCCESS, close_until, entry, land, model, row, rows
from tested_warehouse import empty_warehouse

from pipelines.model.explain import explain

DAY = START.replace(day=1)


REPEATED = [
    (100, 1, "Payment of 100.00 received.", 0.5, "Payment received", False),
    (101, 3, NO_MANDATE.replace("AWAITING", "FAILED"), 0.1, "Payment Result", True),
    (102, 4, "Payment of 50.00 received.", 3, "Payment received", False),
]


@pytest.fixture(params=["once", "some reported twice"], scope="module")
def figures(request):
    with empty_warehouse() as warehouse:
        made(warehouse, REPEATED if request.param != "once" else [])
        yield warehouse


def made(warehouse, repeated):
    paid = {number: START.replace(day=START.day + days) for number, days in ((1, 0), (2, 6), (4, 0), (6, 2))}
    land(
        warehouse,
        entry(1, 1, SUCCESS, paid_on=paid[1]),
        entry(2, 2, NO_FUNDS, is_problem=True, paid_on=paid[2]),
        entry(3, 2, NO_FUNDS, 3, is_problem=True, paid_on=paid[2]),
        entry(4, 2, SUCCESS, 6, paid_on=paid[2]),
        entry(5, 3, NO_MANDATE, amount="1000"),
        entry(6, 4, SUCCESS, amount="50", paid_on=paid[4]),
        entry(7, 4, "Verifactu: NIF no identificado.", name="E-invoice", is_problem=True, amount="50", paid_on=paid[4]),
        entry(8, 5, IN_FLIGHT, amount="200"),
        entry(9, 6, "Invoice 6 was sent to ada@example.com.", name="Invoice sent", amount="80", paid_on=paid[6]),
        entry(10, 7, EXPIRED, is_problem=True, amount="120"),
        entry(11, 1, "Invoice 1 was sent to ada@example.com.", -1, name="Invoice sent", paid_on=paid[1]),
        entry(12, 7, "Invoice 7 was sent to ada@example.com.", -1, name="Invoice sent", amount="120"),
    )
    for number, invoice, text, at, name, flag in repeated:
        amount = {1: "100", 3: "1000", 4: "50"}[invoice]
        land(
            warehouse,
            entry(number, invoice, text, at, name, is_problem=flag, amount=amount, paid_on=paid.get(invoice)),
        )
    close_until(warehouse, START.replace(month=4, day=15))
    model(
        warehouse,
        "begun_payment_failure_rates",
        "customers",
        "daily_amounts_at_risk",
        "expected_recoveries",
        "failed_invoice_recoveries",
        "monthly_payment_failure_rates",
        "payment_timing",
        "recovery_cohorts",
        "retry_outcomes",
    )


def test_every_rate_of_the_month(figures):
    rate = row(figures, "select * from model.monthly_payment_failure_rates")
    assert (rate["failed_attempt_count"], rate["attempt_count"], rate["pending_count"]) == (4, 7, 0)
    assert rate["attempt_failure_ratio"] == 4 / 7
    assert rate["invoice_failure_ratio"] == 3 / 5
    assert rate["first_attempt_failure_ratio"] == 3 / 5
    assert rate["first_attempt_amount_failure_ratio"] == 1220 / 1370
    assert rate["amount_failure_ratio"] == 1320 / 1570
    assert rate["unflagged_failed_attempt_count"] == 1
    assert rate["is_small_sample"]
    # Five invoices with 1, 3, 1, 1 and 1 attempts, of which 0, 2, 1, 0 and 1 failed. Around 4 / 7 the squared
    # residuals sum to 54 / 49, so the variance is 54 / 49 / 49, against 12 / 49 of one independent attempt: worth 10.9,
    # but at most 7.
    # Few and unequal invoices cost 4 / 5 and (1.960 / 2.729)^2, t of 4 degrees: 2.888.
    assert rate["effective_attempt_count"] == pytest.approx(2.888, abs=5e-4)
    assert (rate["no_method_attempt_count"], rate["no_method_first_attempt_count"]) == (1, 1)
    assert rate["with_method_first_attempt_failure_ratio"] == 2 / 4
    assert rate["with_method_first_attempt_amount_failure_ratio"] == 220 / 370
    assert rate["with_method_attempt_failure_ratio"] == 3 / 6
    # Invoices 1, 2, 4 and 7 have an attempt that did not fail for want of a method; 2 and 7 failed for another reason.
    assert rate["with_method_invoice_failure_ratio"] == 2 / 4
    assert rate["with_method_amount_failure_ratio"] == 320 / 570
    assert rate["automatic_first_attempt_failure_ratio"] == rate["automatic_invoice_failure_ratio"] == 3 / 5
    assert rate["automatic_attempt_failure_ratio"] == 4 / 7
    assert rate["automatic_amount_failure_ratio"] == 1320 / 1570
    # Wilson for 3 of 5.
    low, high = rate["first_attempt_failure_low_ratio"], rate["first_attempt_failure_high_ratio"]
    assert (round(low, 3), round(high, 3)) == (0.231, 0.882)


def test_by_the_month_in_which_payments_began(figures):
    rate = row(figures, "select * from model.begun_payment_failure_rates")
    assert (rate["first_payment_count"], rate["failed_first_payment_count"]) == (6, 3)
    assert (rate["lost_first_payment_count"], rate["in_flight_first_payment_count"]) == (1, 0)  # invoice 5: 43 days
    assert (rate["first_attempt_failure_ratio"], rate["is_mature"]) == (3 / 5, True)
    assert (rate["with_method_first_attempt_failure_ratio"], rate["automatic_first_attempt_failure_ratio"]) == (
        2 / 4,
        3 / 5,
    )


def test_recovery_by_count_and_amount(figures):
    cohort = row(figures, "select * from model.recovery_cohorts")
    assert cohort["recovery_ratio"] == 1 / 3
    assert cohort["recovery_amount_ratio"] == 100 / 1220
    assert [cohort[f"recovered_{days}_day_count"] for days in (1, 3, 7, 14, 28)] == [0, 0, 1, 1, 1]
    assert [cohort[f"observed_{days}_day_count"] for days in (1, 3, 7, 14, 28)] == [3] * 5


def test_each_failed_invoice(figures):
    found = rows(
        figures,
        "select invoice_id, recovery_state, recovered_by, days_to_recover, ageing_band, first_failure_reason"
        " from model.failed_invoice_recoveries order by invoice_id",
    )
    assert [tuple(each.values()) for each in found] == [
        (2, "recovered", "retry", 6, None, "insufficient_funds"),
        (3, "open", None, None, "31-60", "no_payment_method"),
        (7, "open", None, None, "31-60", "card_expired"),
    ]


def test_what_finance_asks_next(figures):
    retries = rows(figures, "select * from model.retry_outcomes where is_all_businesses and is_all_reasons")
    assert {
        (each["attempt_band"], each["days_band"]): (each["succeeded_retry_count"], each["retry_count"])
        for each in retries
    } == {(None, None): (1, 2), ("2", None): (0, 1), ("3", None): (1, 1), (None, "2-3"): (1, 2)}
    timing = rows(figures, "select * from model.payment_timing where is_all_businesses order by timing_kind")
    assert [
        (each["timing_kind"], each["timing_number"], each["failed_first_attempt_count"], each["first_attempt_count"])
        for each in timing
    ] == [("day_of_month", 3, 3, 5), ("hour", 9, 3, 5), ("weekday", 1, 3, 5)]
    customer = row(figures, "select * from model.customers")
    assert (customer["failed_attempt_90_day_count"], customer["attempt_count"], customer["open_amount"]) == (4, 7, 1120)
    assert all(customer[flag] for flag in ("has_ever_been_collected", "is_repeat_offender", "is_new"))
    risk = rows(figures, "select * from model.daily_amounts_at_risk where is_all_businesses order by day_date")
    assert [risk[days]["at_risk_amount"] for days in (0, 5, 6, -1)] == [1220, 1220, 1120, 1120]
    # No invoice has been watched for longer than these: nothing is known, so nothing is expected.
    expected = row(
        figures, "select * from model.expected_recoveries where is_all_businesses and is_all_reasons and is_all_bands"
    )
    assert (expected["expected_amount"], expected["expected_high_amount"], expected["unknown_invoice_count"]) == (
        0,
        1120,
        2,
    )


def test_explanation_lists_numerator_and_denominator(figures):
    answer = explain(figures, 7, "GBP", DAY.date(), schema="model")
    assert (answer.failed_attempt_count, answer.attempt_count, answer.attempt_failure_ratio) == (4, 7, 4 / 7)
    parts = {
        part: [each.entry_id for each in answer.entries if each.part == part]
        for part in ("failed", "succeeded", "pending")
    }
    assert parts == {"failed": [2, 5, 10, 3], "succeeded": [1, 6, 4], "pending": [8]}
    assert {each.rule_name for each in answer.entries if each.part == "failed"} == {
        "insufficient_funds",
        "no_preauthorisation",
        "card_expired",
    }
