"""The failure rates in plain Python, from the sandbox's own data and its own words: an answer to compare SQL with.

It knows nothing of the rules in `sql/rules`: what an entry means it takes from the sandbox's list of sentences.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any, NamedTuple

from pipelines.sandbox import wording

_SAYS = {one: says for (says, *_), texts in wording.texts().items() for one in texts}
_AMOUNT = re.compile(r"\b[A-Z]{3} [0-9.]+\d")
_KINDS = {"in_flight": "pending", "collected": "succeeded", "received": "succeeded", "transferred": "succeeded"}
_KINDS |= dict.fromkeys([*wording.DEBIT_FAILURES, *wording.CARD_FAILURES], "failed")
_Z = 1.959963984540054


def kind_of(record: dict[str, Any]) -> str | None:
    """`failed`, `succeeded`, `pending`, or None for what is no payment."""
    says = _SAYS.get((record["Name"], _AMOUNT.sub("{amount}", record["Description"])))
    assert says or not record["Name"].startswith("Payment"), record
    return _KINDS.get(says or "")


class Told(NamedTuple):
    """An entry with a part in the figures: what it tells, and whether it is the invoice's first attempt."""

    kind: str
    record: dict[str, Any]
    is_first: bool


def rates(
    records: Iterable[dict[str, Any]], *, monthly: bool, as_of: date
) -> dict[tuple[int, str, date], dict[str, Any]]:
    """Business, currency and first day of the month (or the day) → the figures, for what was attempted or is in flight.

    `as_of` is the day on which the data ends: payments without news in the 28 days before it are lost, not in flight.
    """
    groups: dict[tuple[int, str, date], list[Told]] = defaultdict(list)
    for entries in _by_invoice(records).values():
        tried = [(kind_of(record), record) for record in entries]
        outcomes = [place for place, (kind, _) in enumerate(tried) if kind in {"failed", "succeeded"}]
        news = [record for kind, record in tried[outcomes[-1] + 1 if outcomes else 0 :] if kind == "pending"]
        told = [Told(tried[place][0] or "", tried[place][1], place == outcomes[0]) for place in outcomes]
        if news and _is_in_flight(news[-1], as_of):
            told.append(Told("pending", news[0], is_first=False))
        for each in told:
            day = each.record["CreatedOn"].date()
            place = each.record["CoworkerInvoiceBusinessId"], each.record["CoworkerInvoiceBusinessCurrencyCode"]
            groups[*place, day.replace(day=1) if monthly else day].append(each)
    return {group: _figures(entries) for group, entries in groups.items()}


def _by_invoice(records: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """The entries of each invoice that counts, in the order of time."""
    invoices: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in sorted(records, key=lambda one: (one["CreatedOn"], one["Id"])):
        if not record["CoworkerInvoiceDraft"] and record["CoworkerInvoiceTotalAmount"] > 0:
            invoices[record["CoworkerInvoiceId"]].append(record)
    return invoices


def _is_in_flight(newest: dict[str, Any], as_of: date) -> bool:
    is_settled = newest["CoworkerInvoicePaid"] or newest["CoworkerInvoiceRefunded"]
    return not is_settled and newest["CreatedOn"].date() >= as_of - timedelta(days=28)


def _figures(entries: list[Told]) -> dict[str, Any]:
    attempts = [each for each in entries if each.kind != "pending"]
    failed = [each.record for each in attempts if each.kind == "failed"]
    firsts = [each for each in attempts if each.is_first]
    failed_firsts = [each.record for each in firsts if each.kind == "failed"]
    tried = Counter(each.record["CoworkerInvoiceId"] for each in attempts)
    refused = Counter(record["CoworkerInvoiceId"] for record in failed)
    amount = _total(each.record for each in attempts)
    first_amount = _total(each.record for each in firsts)
    low, high = wilson_of_clusters([(number, refused[invoice]) for invoice, number in tried.items()])
    first_low, first_high = wilson_of_clusters([(1, int(each.kind == "failed")) for each in firsts])
    return {
        "attempt_count": len(attempts),
        "failed_attempt_count": len(failed),
        "succeeded_attempt_count": len(attempts) - len(failed),
        "unflagged_failed_attempt_count": sum(not record["IsProblem"] for record in failed),
        "pending_count": len(entries) - len(attempts),
        "attempted_invoice_count": len(tried),
        "failed_invoice_count": len(refused),
        "first_attempt_count": len(firsts),
        "failed_first_attempt_count": len(failed_firsts),
        "attempted_amount": amount,
        "failed_amount": _total(failed),
        "first_attempt_amount": first_amount,
        "failed_first_attempt_amount": _total(failed_firsts),
        "attempt_failure_ratio": _ratio(len(failed), len(attempts)),
        "attempt_failure_low_ratio": low,
        "attempt_failure_high_ratio": high,
        "invoice_failure_ratio": _ratio(len(refused), len(tried)),
        "first_attempt_failure_ratio": _ratio(len(failed_firsts), len(firsts)),
        "first_attempt_failure_low_ratio": first_low,
        "first_attempt_failure_high_ratio": first_high,
        "first_attempt_amount_failure_ratio": _ratio(_total(failed_firsts), first_amount),
        "amount_failure_ratio": _ratio(_total(failed), amount),
    }


def _total(records: Iterable[dict[str, Any]]) -> Decimal:
    return sum((record["CoworkerInvoiceTotalAmount"] for record in records), Decimal())


def _ratio(part: Decimal | int, whole: Decimal | int) -> float | None:
    return float(part) / float(whole) if whole else None


def wilson_of_clusters(clusters: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """95 % interval of the share of all that is tried which fails, given what each invoice was tried and failed.

    Wilson's (JASA 22, 1927), solved from the quadratic, with the effective sample size: the variance of a share of
    independent attempts against that of the ratio of sums over invoices (Cochran 1977), from the residuals themselves.
    """
    if not clusters:
        return None, None
    whole, part = sum(tried for tried, _ in clusters), sum(failed for _, failed in clusters)
    share, count = part / whole, len(clusters)
    size = whole * whole / sum(tried**2 for tried, _ in clusters)
    if 0 < share < 1:
        residuals = sum((failed - share * tried) ** 2 for tried, failed in clusters)
        size = min(whole, share * (1 - share) * whole**2 / residuals) if residuals else whole
    if len({tried for tried, _ in clusters}) > 1:
        size *= (count - 1) / count * (_Z / _t95(count - 1)) ** 2
    size = max(size, 1)
    failed = share * size
    a, b, c = size + _Z**2, 2 * failed + _Z**2, failed**2 / size
    root = sqrt(max(0.0, b * b - 4 * a * c))
    return (b - root) / (2 * a), (b + root) / (2 * a)


def _t95(degrees: int) -> float:
    """Student's t, by the expansion in its degrees of freedom (Fisher and Cornish, 1960)."""
    return _Z + (_Z**3 + _Z) / (4 * degrees) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * degrees**2)
