"""A query string to a question: every documented parameter of the search page, its irregular wire name and its type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.sandbox.entities import Entry

_ENTITY = "CoworkerInvoiceHistory"

# What a record field is worth to a filter or an order: integers, casefolded text, booleans, seconds, Decimals.
VALUES: dict[str, Callable[[Entry], Any]] = {
    "CoworkerInvoiceId": lambda entry: entry.invoice.id,
    "CoworkerInvoiceCoworkerId": lambda entry: entry.invoice.member.id,
    "CoworkerInvoiceBusinessId": lambda entry: entry.invoice.member.business.id,
    "CoworkerInvoiceBusinessCurrencyCode": lambda entry: entry.invoice.member.business.currency_code.casefold(),
    "CoworkerInvoiceCoworkerFullName": lambda entry: entry.invoice.member.full_name.casefold(),
    "CoworkerInvoiceTotalAmount": lambda entry: entry.invoice.total_amount,
    "CoworkerInvoiceInvoiceNumber": lambda entry: entry.invoice.number.casefold(),
    "CoworkerInvoiceBillToName": lambda entry: entry.invoice.member.bill_to_name.casefold(),
    "CoworkerInvoicePaid": lambda entry: entry.invoice.paid_on is not None,
    "CoworkerInvoicePaidOn": lambda entry: entry.invoice.paid_on,
    "CoworkerInvoiceRefunded": lambda entry: entry.invoice.refunded_on is not None,
    "CoworkerInvoiceRefundedOn": lambda entry: entry.invoice.refunded_on,
    "CoworkerInvoiceDueDate": lambda entry: entry.invoice.due_on,
    "CoworkerInvoiceDraft": lambda entry: entry.invoice.draft,
    "Name": lambda entry: entry.name.casefold(),
    "Description": lambda entry: entry.description.casefold(),
    "IsProblem": lambda entry: entry.is_problem,
    "Notify": lambda entry: entry.notify,
    "Id": lambda entry: entry.id,
    "UpdatedOn": lambda entry: entry.updated_on,
    "CreatedOn": lambda entry: entry.created_on,
    "UpdatedBy": lambda entry: entry.updated_by.casefold(),
}
_KINDS = {
    "integer": ("CoworkerInvoiceId", "CoworkerInvoiceCoworkerId", "CoworkerInvoiceBusinessId"),
    "decimal": ("CoworkerInvoiceTotalAmount",),
    "boolean": ("CoworkerInvoicePaid", "CoworkerInvoiceRefunded", "CoworkerInvoiceDraft", "IsProblem", "Notify"),
    "instant": (
        "CoworkerInvoicePaidOn",
        "CoworkerInvoiceRefundedOn",
        "CoworkerInvoiceDueDate",
        "CreatedOn",
        "UpdatedOn",
    ),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}

# Equality names keep the underscores of the joined path, range names drop them.
EQUALITY_FILTERS = {
    f"{_ENTITY}_{path}": path.replace("_", "") if path != "CoworkerInvoice" else "CoworkerInvoiceId"
    for path in (
        "CoworkerInvoice",
        "CoworkerInvoice_Coworker_Id",
        "CoworkerInvoice_Business_Id",
        "CoworkerInvoice_Business_Currency_Code",
        "CoworkerInvoice_Coworker_FullName",
        "CoworkerInvoice_TotalAmount",
        "CoworkerInvoice_InvoiceNumber",
        "CoworkerInvoice_BillToName",
        "CoworkerInvoice_Paid",
        "CoworkerInvoice_PaidOn",
        "CoworkerInvoice_Refunded",
        "CoworkerInvoice_RefundedOn",
        "CoworkerInvoice_DueDate",
        "CoworkerInvoice_Draft",
        "Name",
        "Description",
        "IsProblem",
        "Notify",
    )
}
RANGE_FILTERS = {
    f"{end}_{_ENTITY}_{name}": (end, name)
    for name in ("CoworkerInvoiceCoworkerId", "CoworkerInvoiceBusinessId", *_KINDS["instant"])
    for end in ("from", "to")
}
PAGING = ("page", "size", "orderBy", "dir")


class BadQuestionError(ValueError):
    """A parameter's value cannot be read; `property_name` says whose."""

    def __init__(self, property_name: str, value: str) -> None:
        super().__init__("is not valid")
        self.property_name = property_name
        self.value = value


@dataclass(slots=True)
class Question:
    """What a search asks. Ranges are half open: low <= value < end, whatever the wire's convention was."""

    page: int = 1
    size: int = 25
    order_by: str = "Id"
    descending: bool = False
    direction: int = 0
    equal: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    ranges: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Reading:
    """How the server reads a question: the knobs that matter here."""

    range_end: str = "second"
    time_zone: str = "UTC"
    dir_convention: str = "0/1"
    max_page_size: int = 1000


def read_question(params: Mapping[str, str], reading: Reading) -> Question:
    """The question in a query string; what nobody documented is ignored. Raises BadQuestionError."""
    direction = _integer(params, "dir", 1 if reading.dir_convention == "1/-1" else 0)
    question = Question(
        page=max(1, _integer(params, "page", 1)),
        size=min(max(1, _integer(params, "size", 25)), reading.max_page_size),
        order_by=params.get("orderBy", "Id") if params.get("orderBy", "Id") in VALUES else "Id",
        descending=direction != 1 if reading.dir_convention == "1/-1" else direction == 1,
        direction=direction,
    )
    for name, value in params.items():
        if not value:
            continue
        try:
            if name in EQUALITY_FILTERS:
                column = EQUALITY_FILTERS[name]
                question.equal[column] = _equal(column, value, reading)
            elif name in RANGE_FILTERS:
                end, column = RANGE_FILTERS[name]
                low, high = question.ranges.get(column, (None, None))
                limit = _limit(column, value, reading, is_end=end == "to")
                question.ranges[column] = (low, limit) if end == "to" else (limit, high)
        except (ValueError, InvalidOperation) as error:
            raise BadQuestionError(name, value) from error
    return question


def _integer(params: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(params.get(name) or default)
    except ValueError as error:
        raise BadQuestionError(name, params[name]) from error


def _instant(value: str, zone: str) -> tuple[int, int]:
    """First second that the value names, and how many: a second, a minute or a day, by what it spells out."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
    spelled_out = len(value.partition("+")[0].rstrip("Z"))
    span = 86_400 if spelled_out <= len("2025-01-31") else 60 if spelled_out <= len("2025-01-31T12:00") else 1
    return int(at.timestamp()), span


def _equal(column: str, value: str, reading: Reading) -> tuple[Any, Any]:
    """The half-open range of values that an equality filter accepts; (value, None) where there is no range."""
    kind = _KIND_OF.get(column, "text")
    if kind == "integer":
        return int(value), None
    if kind == "decimal":
        return Decimal(value), None
    if kind == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower()), None
    if kind == "instant":
        start, span = _instant(value, reading.time_zone)
        return start, start + span
    return value.casefold(), None


def _limit(column: str, value: str, reading: Reading, *, is_end: bool) -> int:
    """The lower limit, or the exclusive upper one, that a range filter sets."""
    if _KIND_OF[column] == "integer":
        return int(value) + is_end
    at, _ = _instant(value, reading.time_zone)
    if reading.range_end != "second":
        at -= at % 60
    return at + {"second": 1, "minute": 1, "whole_minute": 60, "exclusive": 0}[reading.range_end] * is_end
