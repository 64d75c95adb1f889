"""The wire contract: a CoworkerInvoiceHistory record, the envelope of a search answer, the error body of a write.

Belongs here: what the API's bytes mean and when they break the contract. Does not: asking for them, or storing them.
Source: the API's search and create reference pages, and what live tenants were seen to answer.
"""

import re
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from pipelines.errors import BrokenPromiseError

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# DECIMAL(18,4), of which nothing may be cut off.
_SMALLEST_AMOUNT = Decimal("0.0001")
_EXACT = Context(prec=18, traps=[Inexact, InvalidOperation])
_JSON_NULL = Raw(b"null")


class HistoryRecord(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, gc=False, kw_only=True):
    """One history entry of an invoice as the API answered it. Instants are aware (UTC), money is decimal.

    The `coworker_invoice_*` fields other than the id are joined by the API when it is asked: they are true as of the
    answer, not as of `updated_on`. Where UpdatedOn is null `updated_on` is CreatedOn, and `has_updated_on` False.
    """

    id: Int64
    coworker_invoice_id: Int64
    unique_id: str | None = None
    updated_on: datetime | None = None
    created_on: datetime | None = None
    updated_by: str | None = None
    coworker_invoice_coworker_id: Int64 | None = None
    coworker_invoice_business_id: Int64 | None = None
    coworker_invoice_business_currency_code: str | None = None
    coworker_invoice_coworker_full_name: str | None = None
    coworker_invoice_total_amount: Decimal | None = None
    coworker_invoice_invoice_number: str | None = None
    coworker_invoice_bill_to_name: str | None = None
    coworker_invoice_paid: bool | None = None
    coworker_invoice_paid_on: datetime | None = None
    coworker_invoice_refunded: bool | None = None
    coworker_invoice_refunded_on: datetime | None = None
    coworker_invoice_due_date: datetime | None = None
    coworker_invoice_draft: bool | None = None
    name: str | None = None
    description: str | None = None
    is_problem: bool | None = None
    notify: bool | None = None
    is_new: bool | None = None
    system_id: str | None = None
    to_string_text: str | None = None
    localization_details: Raw = _JSON_NULL
    custom_fields: Raw = _JSON_NULL
    # Not of the wire: names that no JSON key of the API can have.
    has_updated_on: bool = msgspec.field(name="#has_updated_on", default=True)
    raw: bytes = msgspec.field(name="#raw", default=b"")
    extra: bytes | None = msgspec.field(name="#extra", default=None)

    @property
    def touched_at(self) -> datetime:
        """The instant that places the record on the UpdatedOn axis: `updated_on`, set by `decode_record`."""
        assert self.updated_on is not None  # noqa: S101 - decode_record refuses a record without
        return self.updated_on


FIELD_NAMES: dict[str, str] = {
    field.name: field.encode_name
    for field in msgspec.structs.fields(HistoryRecord)
    if not field.encode_name.startswith("#")
}
"""Column name → wire name of every documented field of a record."""

_INSTANTS = tuple(name for name in FIELD_NAMES if name.endswith(("_on", "_date")))
_instants_of = attrgetter(*_INSTANTS)


class RejectedRecord(msgspec.Struct, frozen=True):
    """A record that breaks the contract: its raw JSON, why, and its Id where it could be read."""

    raw: bytes
    reason: str
    id: int | None


class _Identified(msgspec.Struct, rename="pascal"):
    id: Int64


class _Envelope(msgspec.Struct, rename="pascal"):
    records: list[Raw] | None
    current_page: int
    total_items: int
    current_page_size: int | UnsetType = UNSET
    page_size: int | UnsetType = UNSET
    has_next_page: bool | UnsetType = UNSET
    current_order_field: str | None = None


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the search endpoint: the records in the order received, and what the server says of them.

    `answered_at` is the server's `Date`, to the second. `records` and `rejected` together are all it sent.
    """

    records: list[HistoryRecord]
    rejected: list[RejectedRecord]
    page: int
    page_size: int
    total_items: int
    has_next_page: bool
    answered_at: datetime
    order_field: str | None = None

    @property
    def record_count(self) -> int:
        """Records the server sent, the rejected ones included."""
        return len(self.records) + len(self.rejected)

    @property
    def ids(self) -> set[int | None]:
        """Ids of all that it sent; None among them where a rejected record's cannot be read."""
        return {record.id for record in self.records} | {record.id for record in self.rejected}


class FieldError(msgspec.Struct, rename="pascal"):
    """One property that a write was refused for."""

    property_name: str | None = None
    message: str | None = None
    attempted_value: Any = None


class WriteAnswer(msgspec.Struct, rename="pascal"):
    """The body of a create: `was_successful` decides, not the HTTP status alone."""

    was_successful: bool = False
    message: str | None = None
    value: Any = None
    errors: list[FieldError] | None = None


class EnvelopeError(BrokenPromiseError):
    """The body is not the documented envelope; nothing in it can be trusted."""


_envelope = msgspec.json.Decoder(_Envelope, strict=False)
# Not strict: amounts and flags have been documented as strings and as numbers or booleans.
_record = msgspec.json.Decoder(HistoryRecord, strict=False)
_identified = msgspec.json.Decoder(_Identified, strict=False)
_fields = msgspec.json.Decoder(dict[str, Raw])


def decode_search(body: bytes, answered_at: datetime) -> SearchAnswer:
    """Read a search answer. Raises EnvelopeError when the body is not the envelope or its `Records` is null."""
    try:
        envelope = _decode_envelope(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeError(f"The answer is not the documented envelope ({error}); {_likely_cause(body)}.") from None
    if envelope.records is None:
        raise EnvelopeError("The answer has `Records: null` instead of a list; try again later.")
    records: list[HistoryRecord] = []
    rejected: list[RejectedRecord] = []
    for raw in envelope.records:
        decoded = decode_record(bytes(raw))
        (records if isinstance(decoded, HistoryRecord) else rejected).append(decoded)  # type: ignore[arg-type]
    size = envelope.current_page_size if envelope.current_page_size is not UNSET else envelope.page_size
    has_next = envelope.has_next_page
    return SearchAnswer(
        records=records,
        rejected=rejected,
        page=envelope.current_page,
        page_size=len(envelope.records) if size is UNSET else size,
        total_items=envelope.total_items,
        has_next_page=envelope.total_items > len(envelope.records) if has_next is UNSET else has_next,
        answered_at=answered_at,
        order_field=envelope.current_order_field,
    )


# Half of a surrogate pair, as a text cut in the middle of an emoji has it; whole pairs and other escapes are kept.
_LONE_SURROGATE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|(\\.)", re.DOTALL
)


def _decode_envelope(body: bytes) -> _Envelope:
    try:
        return _envelope.decode(body)
    except msgspec.DecodeError:
        # One such text would otherwise make its whole page unreadable, on every try.
        mended = _LONE_SURROGATE.sub(lambda found: found[1] or found[2] or rb"\ufffd", body)
        if mended == body:
            raise
        return _envelope.decode(mended)


def decode_record(raw: bytes) -> HistoryRecord | RejectedRecord:
    """One record, checked. Unknown fields are kept as JSON in `extra`; a broken record comes back as rejected."""
    try:
        raw.decode()  # what lies in fields that are kept as they came is not looked at below
        try:
            record = _record.decode(raw)
        except msgspec.ValidationError:
            record = _decode_with_care(raw)
        _settle_instants(record)
        _check(record)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError) as error:
        return RejectedRecord(raw=raw, reason=str(error), id=_id_of(raw))
    record.raw = raw
    return record


_TOO_FINE = re.compile(rb"(T\d\d:\d\d:\d\d\.\d{6})\d+")


def _decode_with_care(raw: bytes) -> HistoryRecord:
    """The slow way, for unknown fields, for '' where null is meant, and for the latest time that .NET knows."""
    # Its latest instant, 9999-12-31T23:59:59.9999999, would be rounded beyond the calendar.
    fields = _fields.decode(_TOO_FINE.sub(rb"\1", raw))
    known = set(FIELD_NAMES.values())
    blank = {
        wire for column, wire in FIELD_NAMES.items() if column not in _TEXTS and bytes(fields.get(wire, b"")) == b'""'
    }
    extra = {key: value for key, value in fields.items() if key not in known}
    record = _record.decode(
        msgspec.json.encode({key: value for key, value in fields.items() if key in known and key not in blank})
    )
    record.extra = msgspec.json.encode(extra) if extra else None
    return record


_TEXTS = {field.name for field in msgspec.structs.fields(HistoryRecord) if field.type in (str, str | None)}


def _settle_instants(record: HistoryRecord) -> None:
    """UTC where no zone was sent; CreatedOn where UpdatedOn is null."""
    for name, instant in zip(_INSTANTS, _instants_of(record), strict=True):
        if instant is not None and instant.tzinfo is not UTC:
            setattr(record, name, instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC))
    if record.updated_on is None:
        record.updated_on, record.has_updated_on = record.created_on, False


def _check(record: HistoryRecord) -> None:
    if record.updated_on is None:
        raise ValueError("neither UpdatedOn nor CreatedOn is set")
    amount = record.coworker_invoice_total_amount
    if amount is not None:
        if not amount.is_finite():
            raise ValueError(f"CoworkerInvoiceTotalAmount {amount} is not a number")
        try:
            amount.quantize(_SMALLEST_AMOUNT, context=_EXACT)
        except (Inexact, InvalidOperation):
            raise ValueError(f"CoworkerInvoiceTotalAmount {amount} does not fit DECIMAL(18,4)") from None


def _id_of(raw: bytes) -> int | None:
    try:
        return _identified.decode(raw).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _likely_cause(body: bytes) -> str:
    start = body.lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "an HTML page came instead: check NEXUDUS_BASE_URL, the login, and any proxy between"
    return "it was cut short or is another program's answer: check NEXUDUS_BASE_URL, and try again later"
