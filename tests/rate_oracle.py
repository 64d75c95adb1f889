"""The failure rates in plain Python, from the sandbox's own data and its own words: an answer to compare SQL with.

It knows nothing of the rules in `sql/rules`: what an entry means it takes from the sandbox's lists of sentences.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from math import sqrt
from typing import Any

from pipelines.sandbox import wording

_FAILED = {
    outcome.description
    for outcome in [
        *wording.DEBIT_FAILURES,
        *wording.CARD_FAILURES,
        *(outcome for country in wording.LOCAL_FAILURES.values() for outcome in country),
    ]
}
_Z = 1.959963984540054


def kind_of(record: dict[str, Any]) -> str | None:
    """`failed`, `succeeded`, `pending`, or None for what is no payment."""
    if record["Name"] == wording.RECEIVED:
        return "succeeded"
    if record["Name"] != wording.PAYMENT or record["Description"] == wording.MANDATE_REQUESTED:
        return None
    if record["Description"] in _FAILED:
        return "failed"
    if record["Description"] in wording.AWAITING:
        return "pending"
    assert record["Description"].startswith("SUCCESS: "), record
    return "succeeded"


def rates(records: Iterable[dict[str, Any]], *, monthly: bool) -> dict[tuple[int, str, date], dict[str, Any]]:
    """Business, currency and first day of the month (or the day) → the figures, for what has an attempt or pends."""
    groups: dict[tuple[int, str, date], list[tuple[str, dict[str, Any], bool]]] = defaultdict(list)
    attempted_before: set[int] = set()
    for record in sorted(records, key=lambda one: (one["CreatedOn"], one["Id"])):
        kind = kind_of(record)
        if kind is None or record["CoworkerInvoiceDraft"] or record["CoworkerInvoiceTotalAmount"] <= 0:
            continue
        invoice = record["CoworkerInvoiceId"]
        is_first = kind != "pending" and invoice not in attempted_before
        if kind != "pending":
            attempted_before.add(invoice)
        day = record["CreatedOn"].date()
        place = record["CoworkerInvoiceBusinessId"], record["CoworkerInvoiceBusinessCurrencyCode"]
        groups[*place, day.replace(day=1) if monthly else day].append((kind, record, is_first))
    return {group: _figures(entries) for group, entries in groups.items()}


def _figures(entries: list[tuple[str, dict[str, Any], bool]]) -> dict[str, Any]:
    attempts = [(kind == "failed", record, is_first) for kind, record, is_first in entries if kind != "pending"]
    failed = [record for is_failed, record, _ in attempts if is_failed]
    firsts = [(is_failed, record) for is_failed, record, is_first in attempts if is_first]
    failed_firsts = [record for is_failed, record in firsts if is_failed]
    invoices = {record["CoworkerInvoiceId"] for _, record, _ in attempts}
    failed_invoices = {record["CoworkerInvoiceId"] for record in failed}
    amount = _total(record for _, record, _ in attempts)
    first_amount = _total(record for _, record in firsts)
    low, high = _wilson(len(failed), len(attempts))
    return {
        "attempt_count": len(attempts),
        "failed_attempt_count": len(failed),
        "succeeded_attempt_count": len(attempts) - len(failed),
        "unflagged_failed_attempt_count": sum(not record["IsProblem"] for record in failed),
        "pending_count": len(entries) - len(attempts),
        "attempted_invoice_count": len(invoices),
        "failed_invoice_count": len(failed_invoices),
        "first_attempt_count": len(firsts),
        "failed_first_attempt_count": len(failed_firsts),
        "attempted_amount": amount,
        "failed_amount": _total(failed),
        "first_attempt_amount": first_amount,
        "failed_first_attempt_amount": _total(failed_firsts),
        "attempt_failure_ratio": _ratio(len(failed), len(attempts)),
        "attempt_failure_low_ratio": low,
        "attempt_failure_high_ratio": high,
        "invoice_failure_ratio": _ratio(len(failed_invoices), len(invoices)),
        "first_attempt_failure_ratio": _ratio(len(failed_firsts), len(firsts)),
        "first_attempt_amount_failure_ratio": _ratio(_total(failed_firsts), first_amount),
        "amount_failure_ratio": _ratio(_total(failed), amount),
    }


def _total(records: Iterable[dict[str, Any]]) -> Decimal:
    return sum((record["CoworkerInvoiceTotalAmount"] for record in records), Decimal())


def _ratio(part: Decimal | int, whole: Decimal | int) -> float | None:
    return float(part) / float(whole) if whole else None


def _wilson(failed: int, count: int) -> tuple[float | None, float | None]:
    """Wilson's score interval (JASA 22, 1927), solved from the quadratic rather than by centre and width."""
    if not count:
        return None, None
    a, b, c = count + _Z**2, 2 * failed + _Z**2, failed**2 / count
    root = sqrt(max(0.0, b * b - 4 * a * c))
    return (b - root) / (2 * a), (b + root) / (2 * a)
