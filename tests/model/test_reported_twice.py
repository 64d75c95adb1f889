"""One attempt that two entries report is one attempt: the rule case by case, and against what the sandbox knows."""

from datetime import UTC, datetime, timedelta

import pytest
from given import EXPIRED, IN_FLIGHT, NO_FUNDS, RESULT, SUCCESS, entry, land, model, row, rows

from pipelines.sandbox.operators import make_operator

RECEIVED, REFUND = "Payment received", "Refund"
AWAITED = "AWAITING: Insufficient funds."
HOUR = 1 / 24
# What the entries of an invoice say (title, text, day), and which of them are second reports.
CASES = {
    "collected, then received": ([(RESULT, SUCCESS, 0), (RECEIVED, "By card.", 6)], [1]),
    "received a week and more later": ([(RESULT, SUCCESS, 0), (RECEIVED, "By card.", 7.1)], []),
    "confirmed, then paid out": ([(RESULT, SUCCESS, 0), (RESULT, "SUCCESS: Payment was confirmed.", 2)], [1]),
    "two part payments": ([(RECEIVED, "Payment of 30.00.", 0), (RECEIVED, "Payment of 70.00.", 2)], []),
    "refunded between": ([(RESULT, SUCCESS, 0), (REFUND, "It was refunded.", 1), (RECEIVED, "By card.", 2)], []),
    "another collection between": ([(RESULT, SUCCESS, 0), (RESULT, IN_FLIGHT, 1), (RECEIVED, "By card.", 2)], []),
    "awaited, then failed": ([(RESULT, AWAITED, 0), (RESULT, NO_FUNDS, 0.5)], [1]),
    "failed a day and more later": ([(RESULT, AWAITED, 0), (RESULT, NO_FUNDS, 1.1)], []),
    "another reason": ([(RESULT, AWAITED, 0), (RESULT, EXPIRED, 0.5)], []),
    "reason given later": ([(RESULT, "FAILED: Not collected.", 0), ("Payment failed", NO_FUNDS, HOUR)], [1]),
    "tried twice in an hour": ([(RESULT, NO_FUNDS, 0), (RESULT, NO_FUNDS, HOUR)], []),
    "two attempts, each told twice": (
        [(RESULT, AWAITED, 0), (RESULT, NO_FUNDS, HOUR), (RESULT, AWAITED, 2 * HOUR), (RESULT, NO_FUNDS, 3 * HOUR)],
        [1, 3],
    ),
    "failed, then paid": ([(RESULT, NO_FUNDS, 0), (RESULT, SUCCESS, HOUR)], []),
}


def test_the_rule_case_by_case(warehouse):
    given = [
        (10 * invoice + place, invoice, *said)
        for invoice, (entries, _) in enumerate(CASES.values(), 1)
        for place, said in enumerate(entries)
    ]
    land(warehouse, *(entry(number, invoice, text, day, name) for number, invoice, name, text, day in given))
    model(warehouse, "payment_attempts", "excluded_attempts")
    found = {each["entry_id"] for each in rows(warehouse, "select entry_id from model.repeated_reports")}
    assert {
        name: [place for place in range(len(entries)) if 10 * invoice + place in found]
        for invoice, (name, (entries, _)) in enumerate(CASES.items(), 1)
    } == {name: repeated for name, (_, repeated) in CASES.items()}
    counted = row(
        warehouse,
        "select sum(excluded_attempt_count) as count from model.excluded_attempts"
        " where excluded_because = 'reported_twice'",
    )
    assert counted["count"] == sum(len(repeated) for _, repeated in CASES.values())


@pytest.mark.parametrize("share", [0, 0.3])
def test_the_sandbox_knows_which_entries_repeat_an_attempt(warehouse, share):
    entries = make_operator(size=3000, months=6, reported_twice_share=share).entries
    start = datetime(1970, 1, 1, tzinfo=UTC)
    land(
        warehouse,
        *(
            entry(
                each.id,
                each.invoice.id,
                each.description,
                start + timedelta(seconds=each.created_on),
                each.name,
                is_problem=each.is_problem,
                draft=each.invoice.draft,
                amount=str(each.invoice.total_amount),
            )
            for each in entries
        ),
    )
    model(warehouse, "payment_attempts", "excluded_attempts")
    found = {each["entry_id"] for each in rows(warehouse, "select entry_id from model.repeated_reports")}
    assert found == {each.id for each in entries if each.is_repeated_report}
    assert (len(found) > 100) == (share > 0)
