"""What the invoices themselves say: their state, what is due, and what that makes of failures."""

from datetime import timedelta
from decimal import Decimal
from random import Random

import polars as pl
import pytest
from given import NO_FUNDS, NO_MANDATE, START, SUCCESS, close_until, entry, land, model, row, rows

from pipelines.extract.invoices import InvoiceRecord
from pipelines.foundation.frames import readable
from pipelines.record.invoice_now import state_of

LATER = START + timedelta(days=40)
STATES = {
    1: {},
    2: {"void": True},
    3: {"draft": True},
    4: {"paid": True, "paid_on": START + timedelta(days=2), "due_amount": "0"},
    5: {"credited_amount": "100"},
    6: {"paid_amount": "40"},
    7: {"refunded": True, "paid": True, "refunded_on": START + timedelta(days=3)},
    8: {"due_amount": "70.5", "credited_amount": "29.5"},
    9: {"paid_amount": "100", "due_amount": "0"},
    10: {"paid_amount": "30", "credited_amount": "20", "due_amount": "50"},
    # The gateway's fee was added when it was paid.
    11: {"total_amount": "103", "paid": True, "paid_amount": "103", "paid_on": START + timedelta(days=1)},
    # The API's flag of a credit note is set on ordinary invoices.
    12: {"credit_note": True},
    13: {"original_invoice_guid": "2f"},
    14: {"total_amount": "-100"},
}


def land_invoices(connection, states, seen_at=LATER):
    usual = {"total_amount": "100", "paid_amount": "0", "credited_amount": "0", "updated_on": START, "seen_at": seen_at}
    usual |= {"draft": False, "void": False, "paid": False, "refunded": False, "currency_code": "EUR"}
    given = pl.DataFrame([{"id": number} | usual | facts for number, facts in states.items()], infer_schema_length=None)
    with readable(connection, given_invoices=given):
        connection.execute("insert into land.coworker_invoices by name select * from given_invoices")


def failures(states):
    return [entry(number, number, NO_FUNDS) for number in states]


def column(connection, query):
    return dict(connection.execute(query).fetchall())


def test_an_invoice_has_the_state_and_the_amount_due_that_it_says_itself(warehouse):
    land(warehouse, *failures(STATES))
    land_invoices(warehouse, STATES)
    model(warehouse, "invoices")

    states = column(warehouse, "select invoice_id, invoice_status from model.invoices where not is_credit_note")
    due = column(warehouse, "select invoice_id, due_amount from model.invoices where due_amount <> 0")
    assert states == {
        1: "open", 2: "voided", 3: "draft", 4: "paid", 5: "credited", 6: "partly_paid", 7: "refunded", 8: "open",
        9: "paid", 10: "partly_paid", 11: "paid", 12: "open",
    }  # fmt: skip
    assert due == {1: 100, 6: 60, 8: Decimal("70.5"), 10: 50, 12: 100, 13: 100}
    excluded = column(
        warehouse, "select invoice_id, excluded_because from model.invoices where invoice_id in (3,13,14)"
    )
    assert excluded == {3: "draft_invoice", 13: "credit_note", 14: "zero_invoice"}


def test_without_the_invoices_an_unpaid_one_is_open_with_its_whole_amount(warehouse):
    land(warehouse, *failures([1]), entry(2, 2, SUCCESS, paid_on=START))
    model(warehouse, "invoices")
    columns = "invoice_status, due_amount, paid_amount, credited_amount, has_card, invoice_read_at"
    found = warehouse.execute(f"select {columns} from model.invoices order by invoice_id").fetchall()
    assert found == [("open", 100, None, None, None, None), ("paid", 0, 100, None, None, None)]


def test_of_what_both_say_the_newer_observation_counts(warehouse):
    paid = {"paid": True, "paid_on": START}
    land(warehouse, entry(1, 1, NO_FUNDS, paid_on=LATER), entry(2, 2, NO_FUNDS, 1), entry(3, 3, NO_FUNDS, 50))
    land_invoices(warehouse, {1: {}}, seen_at=START - timedelta(days=1))
    land_invoices(warehouse, {2: paid, 3: paid})
    model(warehouse, "invoices")
    assert column(warehouse, "select invoice_id, is_paid from model.invoices") == {1: True, 2: True, 3: False}


@pytest.mark.parametrize(
    ("facts", "texts", "route"),
    [
        ({"has_go_cardless_reference": True}, NO_FUNDS, ("direct_debit", "invoice")),
        ({"has_spreedly_token": True}, NO_FUNDS, ("card", "invoice")),
        ({"coworker_do_not_process_invoices_automatically": True}, NO_FUNDS, ("manual", "invoice")),
        ({}, "FAILED: Your card has expired.", ("card", "wording")),
        ({}, NO_FUNDS, ("unknown", None)),
    ],
)
def test_the_route_of_payment_is_the_invoices_own_or_else_guessed_from_the_words(warehouse, facts, texts, route):
    land(warehouse, entry(1, 1, texts))
    land_invoices(warehouse, {1: facts})
    model(warehouse, "invoices")
    assert warehouse.execute("select payment_route, payment_route_source from model.invoices").fetchall() == [route]


def test_a_failed_invoice_ends_in_the_state_of_its_invoice_and_amounts_tie_out(warehouse):
    land(warehouse, *failures(STATES))
    land_invoices(warehouse, STATES)
    close_until(warehouse, LATER)
    model(warehouse)

    states = column(warehouse, "select invoice_id, recovery_state from model.failed_invoice_recoveries")
    assert states == {
        1: "open", 2: "voided", 4: "recovered", 5: "credited", 6: "partly_recovered", 7: "refunded", 8: "open",
        9: "recovered", 10: "partly_recovered", 11: "recovered", 12: "open",
    }  # fmt: skip
    parts = rows(
        warehouse,
        "select invoice_id, open_amount, recovered_amount, credited_amount from model.failed_invoice_recoveries"
        " where invoice_id in (2, 5, 6, 8, 10) order by all",
    )
    assert [tuple(part.values()) for part in parts] == [
        (2, 0, 0, 0),
        (5, 0, 0, 100),
        (6, 60, 40, 0),
        (8, Decimal("70.5"), 0, Decimal("29.5")),
        (10, 50, 30, 20),
    ]
    assert row(warehouse, "select sum(open_amount) as open_amount from model.failed_invoice_recoveries") == {
        "open_amount": Decimal("380.5")
    }
    cohort = row(warehouse, "select * from model.recovery_cohorts")
    assert (cohort["voided_invoice_count"], cohort["credited_invoice_count"]) == (1, 1)
    assert (cohort["voided_amount"], cohort["credited_amount"]) == (100, Decimal("149.5"))
    assert cohort["open_amount"] == Decimal("380.5")


def test_rates_by_route_and_by_payer_count_each_first_attempt_once(warehouse):
    land(
        warehouse,
        *(entry(number, number, NO_FUNDS if number < 3 else SUCCESS) for number in range(1, 6)),
        entry(6, 1, SUCCESS, 3),
        entry(7, 7, NO_MANDATE, amount="50"),
        entry(8, 8, "Paid by bank transfer.", name="Payment received"),
        entry(9, 9, "Paid by bank transfer.", name="Payment received", business=8),
    )
    manual = {"coworker_do_not_process_invoices_automatically": True}
    automatic = {"coworker_do_not_process_invoices_automatically": False}
    card, debit = {"has_spreedly_token": True}, {"has_go_cardless_reference": True}
    land_invoices(
        warehouse,
        {1: card, 2: card, 3: card | automatic, 4: debit, 5: manual, 7: debit, 9: automatic},
        seen_at=START,
    )
    close_until(warehouse, LATER)
    model(warehouse, "route_failure_rates")
    columns = (
        "route_kind, route, failed_first_attempt_count, first_attempt_count, failed_first_attempt_amount,"
        " first_attempt_amount, first_attempt_failure_ratio, with_method_first_attempt_failure_ratio"
    )
    found = warehouse.execute(
        f"select {columns} from model.route_failure_rates where is_all_businesses order by route_kind, route"
    ).fetchall()
    assert found == [
        ("payer", "automatic", 3, 6, 250, 550, 3 / 6, 2 / 5),
        ("payer", "manual", 0, 2, 0, 200, 0, 0),
        ("payment_route", "card", 2, 3, 200, 300, 2 / 3, 2 / 3),
        ("payment_route", "direct_debit", 1, 2, 50, 150, 1 / 2, 0),
        ("payment_route", "manual", 0, 3, 0, 300, 0, 0),
    ]
    of_business = row(
        warehouse,
        "select route, first_attempt_count, no_rate_because from model.route_failure_rates"
        " where business_id = 8 and route_kind = 'payer'",
    )
    assert of_business == {"route": "automatic", "first_attempt_count": 1, "no_rate_because": None}


def test_a_route_has_no_rate_where_the_words_are_not_understood(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, is_problem=True),
        *(entry(number, number, "Platba byla přijata.", paid_on=START) for number in range(2, 12)),
    )
    close_until(warehouse, LATER)
    model(warehouse, "route_failure_rates")
    query = "select route_kind, first_attempt_count, first_attempt_failure_ratio, first_attempt_failure_low_ratio,"
    query += " no_rate_because from model.route_failure_rates where not is_all_businesses order by route_kind"
    untold = (1, None, None, "wording_not_understood")
    assert warehouse.execute(query).fetchall() == [("payer", *untold), ("payment_route", *untold)]


def random_facts(dice):
    """What an invoice says of itself, or {} where it was never read."""
    if dice.random() < 0.15:
        return {}
    total = dice.choice(["100", "19.99", "0.1", "1500"] * 3 + ["0", "-20"])
    part = dice.choice([None, "0", "0.05", total])
    facts = {
        "total_amount": total,
        "paid_amount": dice.choice([None, "0", "0.05", total]),
        "credited_amount": part,
        "due_amount": dice.choice([None, None, "0", "0.03"]),
        "credit_note": dice.random() < 0.3,
        "original_invoice_guid": "2f" if dice.random() < 0.05 else None,
    }
    facts |= {flag: dice.random() < 0.08 for flag in ("draft", "void", "refunded")}
    facts["refunded_on"] = START + timedelta(days=30) if facts["refunded"] else None
    facts["paid"] = dice.random() < 0.4
    return facts | {"paid_on": START + timedelta(days=dice.uniform(-5, 25)) if facts["paid"] else None}


def expected_state(facts, entry_paid_on):
    """Status, due, paid and credited amount, by the words of docs/figures.md."""
    if not facts:
        paid = entry_paid_on is not None
        return ("paid", 0, Decimal(100), None) if paid else ("open", Decimal(100), None, None)
    total, paid, credited, due = (
        None if facts[f"{name}_amount"] is None else Decimal(facts[f"{name}_amount"])
        for name in ("total", "paid", "credited", "due")
    )
    left = total - (paid or 0) - (credited or 0) if due is None else due
    status = next((name for flag, name in FLAGGED if facts[flag]), None)
    if status is None and left <= 0 and (credited or 0) > 0:
        status = "credited"
    if status is None and left <= 0 and total > 0:
        status = "paid"
    status = status or ("partly_paid" if (paid or 0) > 0 else "open")
    is_due = status in {"open", "partly_paid"}
    return status, max(left, 0) if is_due else 0, (paid or total) if status == "paid" else paid, credited


FLAGGED = [("draft", "draft"), ("void", "voided"), ("refunded", "refunded"), ("paid", "paid")]


def expected_recovery(state, total, paid_on, failed_at, is_retried):
    """State and the amounts open, recovered and credited, of an invoice that failed."""
    status, due, _, credited = state
    if status in {"refunded", "voided"}:
        return status, 0, 0, 0
    if status == "credited":
        return status, 0, 0, total
    if status in {"open", "partly_paid"}:
        due = min(due, total)
        gone = total - due
        back = gone if status == "open" else min(credited or 0, gone)
        return ("open" if status == "open" else "partly_recovered"), due, gone - back, back
    if not is_retried and paid_on is not None and paid_on < failed_at:
        return "paid_before", 0, 0, 0
    return "recovered", 0, total, 0


def test_states_and_amounts_agree_with_plain_python_in_the_model_and_before_something_is_sent(warehouse):
    dice = Random(18)
    invoices = {number: random_facts(dice) for number in range(1, 400)}
    states, recoveries, entries = {}, {}, []
    for number, facts in invoices.items():
        failed_at, is_retried = dice.randrange(1, 12), dice.random() < 0.2
        paid_on = facts.get("paid_on") if facts else dice.choice([None, START + timedelta(days=dice.uniform(-5, 25))])
        entries.append(entry(2 * number, number, NO_FUNDS, failed_at, paid_on=None if facts else paid_on))
        if is_retried:
            entries.append(entry(2 * number + 1, number, SUCCESS, 15, paid_on=None if facts else paid_on))
        states[number] = state = expected_state(facts, paid_on)
        total = Decimal(facts["total_amount"]) if facts else Decimal(100)
        if state[0] != "draft" and not facts.get("original_invoice_guid") and total > 0:
            moment = START + timedelta(days=failed_at)
            recoveries[number] = expected_recovery(state, total, paid_on, moment, is_retried)
    land(warehouse, *entries)
    land_invoices(
        warehouse, {number: {"credited_amount": None, **facts} for number, facts in invoices.items() if facts}
    )
    close_until(warehouse, LATER)
    model(warehouse, "failed_invoice_recoveries")

    def found(columns, table):
        return {row[0]: row[1:] for row in warehouse.execute(f"select invoice_id, {columns} from {table}").fetchall()}

    assert found("invoice_status, due_amount, paid_amount, credited_amount", "model.invoices") == states
    amounts = "recovery_state, open_amount, recovered_amount, credited_amount"
    assert found(amounts, "model.failed_invoice_recoveries") == recoveries
    assert len({state for state, *_ in states.values()}) == len({state for state, *_ in recoveries.values()}) == 7
    for number, facts in invoices.items():
        if facts:
            values = {name: Decimal(v) if name.endswith("amount") and v else v for name, v in facts.items()}
            record = InvoiceRecord(id=number, updated_on=START, raw=b"{}", **values)
            is_wanted = state_of(record) is None
            is_credit_note = facts["original_invoice_guid"] or Decimal(facts["total_amount"]) < 0
            assert is_wanted == (states[number][1] > 0 and not is_credit_note), facts
