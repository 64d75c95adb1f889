"""The wire contract of any entity: how a record is read from JSON, and the envelope of a search answer.

Belongs here: what the API's bytes mean and when they break the contract. Does not: which fields an entity has, asking
for records, or storing them. Source: the API's reference pages, and what live accounts were seen to answer.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from pipelines.errors import BrokenPromiseError
from pipelines.extract.repair import repaired
from pipelines.foundation.shown_text import without_control

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What a BIGINT holds."""
# DECIMAL(18,4), of which nothing may be cut off.
_SMALLEST_AMOUNT = Decimal("0.0001")
_EXACT = Context(prec=18, traps=[Inexact, InvalidOperation])
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The errors with which JSON of others cannot be read; the last where it is nested too deep."""
JSON_NULL = Raw(b"null")
"""Default of a field that is kept as the JSON that came."""


class Record(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, gc=False, kw_only=True):
    """What any record of the API has; a kind of record adds its own fields. Instants are aware (UTC), money is decimal.

    Where UpdatedOn is null `updated_on` is CreatedOn, and `has_updated_on` False.
    """

    id: Int64
    unique_id: str | None = None
    updated_on: datetime | None = None
    created_on: datetime | None = None
    updated_by: str | None = None
    # Not of the wire: names that no JSON key of the API can have.
    has_updated_on: bool = msgspec.field(name="#has_updated_on", default=True)
    raw: bytes = msgspec.field(name="#raw", default=b"")
    extra: bytes | None = msgspec.field(name="#extra", default=None)

    @property
    def touched_at(self) -> datetime:
        """The instant that places the record on the UpdatedOn axis: `updated_on`, set when the record was read."""
        assert self.updated_on is not None  # noqa: S101 - a record without is refused
        return self.updated_on


class RejectedRecord(msgspec.Struct, frozen=True):
    """A record that breaks the contract: its raw JSON, why, and its Id and UpdatedOn where they could be read."""

    raw: bytes
    reason: str
    id: int | None
    updated_on: datetime | None = None


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

    records: list[Record]
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
    def ids(self) -> set[int]:
        """Ids of all that it sent; where one cannot be read, a negative number that stands for its content."""
        unread = {-1 - abs(hash(record.raw)) if record.id is None else record.id for record in self.rejected}
        return {record.id for record in self.records} | unread


class EnvelopeError(BrokenPromiseError):
    """The body is not the documented envelope; nothing in it can be trusted."""


_envelope = msgspec.json.Decoder(_Envelope, strict=False)
_fields = msgspec.json.Decoder(dict[str, Raw])
_YES, _NO = Raw(b"true"), Raw(b"false")
_NOTHING = (b"null", b'""', b"false")
# .NET's last tenth of a microsecond of a second, 23:59:59.9999999, would be rounded into the next day, or beyond 9999.
_LAST_OF_SECOND = b".999999"
_TOO_FINE = re.compile(rb'("\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.999999)\d+(?=(?:Z|[+-]\d\d:?\d\d)?")')


class Contract:
    """What records of one kind must look like, and so how their JSON is read.

    `columns` is column name → wire name of every documented field. Of the wire names in `presence_only` nobody learns
    more than whether there is something: they are made `true` or `false` in the raw JSON too, before it goes anywhere.
    Undocumented fields go to `extra`, or are dropped from the raw JSON as well unless `keeps_undocumented`.
    """

    def __init__(
        self, record: type[Record], *, presence_only: Iterable[str] = (), keeps_undocumented: bool = True
    ) -> None:
        fields = [one for one in msgspec.structs.fields(record) if not one.encode_name.startswith("#")]
        self.record = record
        self.columns = {one.name: one.encode_name for one in fields}
        self._wire_names = frozenset(self.columns.values())
        self._presence_only = frozenset(presence_only)
        self._keeps_undocumented = keeps_undocumented
        self._is_reduced = bool(self._presence_only) or not keeps_undocumented
        self._texts = {one.encode_name: one.name for one in fields if one.type in (str, str | None)}
        self._texts_of = attrgetter(*self._texts.values())
        self._instants = tuple(one.name for one in fields if one.type in (datetime, datetime | None))
        self._instants_of = attrgetter(*self._instants)
        self._amounts = [one.name for one in fields if one.type in (Decimal, Decimal | None)]
        # Not strict: amounts and flags have been documented as strings and as numbers or booleans.
        self._decoder = msgspec.json.Decoder(record, strict=False)

    def read(self, raw: bytes) -> Record | RejectedRecord:
        """One record, checked. Unknown fields are kept as JSON in `extra`; a broken record comes back as rejected."""
        if self._is_reduced:
            raw = self._reduced(raw)
        try:
            raw.decode()  # what lies in fields that are kept as they came is not looked at below
            finest = _TOO_FINE.sub(rb"\1", raw) if _LAST_OF_SECOND in raw else raw
            try:
                record = self._decoder.decode(finest)
            except msgspec.ValidationError:
                record = self._decoded_with_care(finest)
            self._settle_instants(record)
            self._settle_texts(record)
            self._check(record)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, RecursionError) as error:
            at: datetime | None = _field(raw, "UpdatedOn", datetime)
            at = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
            return RejectedRecord(raw=raw, reason=str(error), id=_field(raw, "Id", Int64), updated_on=at)
        record.raw = raw
        return record

    def _reduced(self, raw: bytes) -> bytes:
        """The record's JSON without what may not be kept, `null` for what is no object; twice makes no difference."""
        try:
            fields = _fields.decode(raw)
        except UNREADABLE:
            return b"null"
        return msgspec.json.encode(
            {
                name: (_NO if bytes(value) in _NOTHING else _YES) if name in self._presence_only else value
                for name, value in fields.items()
                if self._keeps_undocumented or name in self._wire_names
            }
        )

    def _decoded_with_care(self, raw: bytes) -> Record:
        """The slow way, for unknown fields and for '' where null is meant."""
        fields = _fields.decode(raw)
        known = {
            name: value
            for name, value in fields.items()
            if name in self._wire_names and (name in self._texts or bytes(value) != b'""')
        }
        extra = {name: value for name, value in fields.items() if name not in self._wire_names}
        record = self._decoder.decode(msgspec.json.encode(known))
        record.extra = msgspec.json.encode(extra) if extra else None
        return record

    def _settle_instants(self, record: Record) -> None:
        """UTC where no zone was sent; CreatedOn where UpdatedOn is null."""
        for name, instant in zip(self._instants, self._instants_of(record), strict=True):
            if instant is not None and instant.tzinfo is not UTC:
                in_utc = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
                setattr(record, name, in_utc)
        if record.updated_on is None:
            record.updated_on, record.has_updated_on = record.created_on, False

    def _settle_texts(self, record: Record) -> None:
        """Without control characters, which end programs and command terminals; the raw JSON has them still."""
        for name, text in zip(self._texts.values(), self._texts_of(record), strict=True):
            if text is not None and not text.isprintable():
                setattr(record, name, without_control(text))

    def _check(self, record: Record) -> None:
        if record.updated_on is None:
            raise ValueError("neither UpdatedOn nor CreatedOn is set")
        for name in self._amounts:
            amount: Decimal | None = getattr(record, name)
            if amount is None:
                continue
            if not amount.is_finite():
                raise ValueError(f"{self.columns[name]} {amount} is not a number")
            try:
                amount.quantize(_SMALLEST_AMOUNT, context=_EXACT)
            except (Inexact, InvalidOperation):
                raise ValueError(f"{self.columns[name]} {amount} does not fit DECIMAL(18,4)") from None


def decode_search(body: bytes, answered_at: datetime, contract: Contract) -> SearchAnswer:
    """Read a search answer. Raises EnvelopeError when the body is not the envelope or its `Records` is null."""
    try:
        envelope = _decode_envelope(body)
    except UNREADABLE as error:
        raise EnvelopeError(f"The answer is not the documented envelope ({error}); {_likely_cause(body)}.") from None
    if envelope.records is None:
        raise EnvelopeError("The answer has `Records: null` instead of a list; try again later.")
    records: list[Record] = []
    rejected: list[RejectedRecord] = []
    for raw in envelope.records:
        read = contract.read(bytes(raw))
        (records if isinstance(read, Record) else rejected).append(read)  # type: ignore[arg-type]
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


def _decode_envelope(body: bytes) -> _Envelope:
    try:
        return _envelope.decode(body)
    except msgspec.ValidationError:
        raise
    except UNREADABLE:
        return _envelope.decode(repaired(body))


def _field(raw: bytes, name: str, kind: Any) -> Any:  # noqa: ANN401 - an annotated type, and its value
    """A field of a record that breaks the contract; None where it cannot be read."""
    try:
        return msgspec.json.decode(_fields.decode(raw)[name], type=kind, strict=False)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _likely_cause(body: bytes) -> str:
    text = body.strip()
    if text[:200].lower().startswith((b"<!doctype", b"<html")):
        return "an HTML page came instead: check NEXUDUS_BASE_URL, the login, and any proxy between"
    if text.startswith(b"{") and text.endswith(b"}"):
        return "it is whole, but not what the API documents: check NEXUDUS_BASE_URL, and look for a newer version"
    return "it was cut short or is another program's answer: check NEXUDUS_BASE_URL, and try again later"
