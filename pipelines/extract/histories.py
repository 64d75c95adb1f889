"""The endpoint of CoworkerInvoiceHistories: search with every documented parameter, count, get one, create.

Belongs here: what is asked and under which names. Does not: how it travels (client), what answers mean (records).
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from pipelines.errors import BrokenPromiseError
from pipelines.extract.client import NexudusClient, Reply
from pipelines.extract.failures import (
    HISTORIES_PATH,
    BadRequestError,
    EntryRefusedError,
    NotFoundError,
    UncertainWriteError,
)
from pipelines.extract.records import HistoryRecord, SearchAnswer, WriteAnswer, decode_record, decode_search
from pipelines.settings import Settings


class HistoryFilters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a search, 18 by equality and 14 by range; None leaves one out. Datetimes are aware.

    Whether the API counts the end of a `to_` range in is not documented: do not depend on it.
    """

    coworker_invoice_id: int | None = None
    coworker_invoice_coworker_id: int | None = None
    coworker_invoice_business_id: int | None = None
    coworker_invoice_business_currency_code: str | None = None
    coworker_invoice_coworker_full_name: str | None = None
    coworker_invoice_total_amount: Decimal | str | None = None
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

    from_coworker_invoice_coworker_id: int | None = None
    to_coworker_invoice_coworker_id: int | None = None
    from_coworker_invoice_business_id: int | None = None
    to_coworker_invoice_business_id: int | None = None
    from_coworker_invoice_paid_on: datetime | None = None
    to_coworker_invoice_paid_on: datetime | None = None
    from_coworker_invoice_refunded_on: datetime | None = None
    to_coworker_invoice_refunded_on: datetime | None = None
    from_coworker_invoice_due_date: datetime | None = None
    to_coworker_invoice_due_date: datetime | None = None
    from_created_on: datetime | None = None
    to_created_on: datetime | None = None
    from_updated_on: datetime | None = None
    to_updated_on: datetime | None = None


# Equality names keep the underscores of joined entities, range names drop them: no rule yields both, so a table.
# A misspelt name is ignored by the API with 200 and every row comes back.
WIRE_NAMES: dict[str, str] = {
    "coworker_invoice_id": "CoworkerInvoiceHistory_CoworkerInvoice",
    "coworker_invoice_coworker_id": "CoworkerInvoiceHistory_CoworkerInvoice_Coworker_Id",
    "coworker_invoice_business_id": "CoworkerInvoiceHistory_CoworkerInvoice_Business_Id",
    "coworker_invoice_business_currency_code": "CoworkerInvoiceHistory_CoworkerInvoice_Business_Currency_Code",
    "coworker_invoice_coworker_full_name": "CoworkerInvoiceHistory_CoworkerInvoice_Coworker_FullName",
    "coworker_invoice_total_amount": "CoworkerInvoiceHistory_CoworkerInvoice_TotalAmount",
    "coworker_invoice_invoice_number": "CoworkerInvoiceHistory_CoworkerInvoice_InvoiceNumber",
    "coworker_invoice_bill_to_name": "CoworkerInvoiceHistory_CoworkerInvoice_BillToName",
    "coworker_invoice_paid": "CoworkerInvoiceHistory_CoworkerInvoice_Paid",
    "coworker_invoice_paid_on": "CoworkerInvoiceHistory_CoworkerInvoice_PaidOn",
    "coworker_invoice_refunded": "CoworkerInvoiceHistory_CoworkerInvoice_Refunded",
    "coworker_invoice_refunded_on": "CoworkerInvoiceHistory_CoworkerInvoice_RefundedOn",
    "coworker_invoice_due_date": "CoworkerInvoiceHistory_CoworkerInvoice_DueDate",
    "coworker_invoice_draft": "CoworkerInvoiceHistory_CoworkerInvoice_Draft",
    "name": "CoworkerInvoiceHistory_Name",
    "description": "CoworkerInvoiceHistory_Description",
    "is_problem": "CoworkerInvoiceHistory_IsProblem",
    "notify": "CoworkerInvoiceHistory_Notify",
    "from_coworker_invoice_coworker_id": "from_CoworkerInvoiceHistory_CoworkerInvoiceCoworkerId",
    "to_coworker_invoice_coworker_id": "to_CoworkerInvoiceHistory_CoworkerInvoiceCoworkerId",
    "from_coworker_invoice_business_id": "from_CoworkerInvoiceHistory_CoworkerInvoiceBusinessId",
    "to_coworker_invoice_business_id": "to_CoworkerInvoiceHistory_CoworkerInvoiceBusinessId",
    "from_coworker_invoice_paid_on": "from_CoworkerInvoiceHistory_CoworkerInvoicePaidOn",
    "to_coworker_invoice_paid_on": "to_CoworkerInvoiceHistory_CoworkerInvoicePaidOn",
    "from_coworker_invoice_refunded_on": "from_CoworkerInvoiceHistory_CoworkerInvoiceRefundedOn",
    "to_coworker_invoice_refunded_on": "to_CoworkerInvoiceHistory_CoworkerInvoiceRefundedOn",
    "from_coworker_invoice_due_date": "from_CoworkerInvoiceHistory_CoworkerInvoiceDueDate",
    "to_coworker_invoice_due_date": "to_CoworkerInvoiceHistory_CoworkerInvoiceDueDate",
    "from_created_on": "from_CoworkerInvoiceHistory_CreatedOn",
    "to_created_on": "to_CoworkerInvoiceHistory_CreatedOn",
    "from_updated_on": "from_CoworkerInvoiceHistory_UpdatedOn",
    "to_updated_on": "to_CoworkerInvoiceHistory_UpdatedOn",
}
"""Filter → the parameter's name on the wire."""

NO_FILTERS = HistoryFilters()
_MINUTE = timedelta(minutes=1)


class NewHistoryEntry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """An entry to create on an invoice; what is None is left to the API. `notify` writes to the customer."""

    coworker_invoice_id: int
    name: str
    description: str
    is_problem: bool | None = None
    notify: bool | None = None


class Histories:
    """Questions about history entries, and the one write. Thread-safe as the client is."""

    def __init__(self, client: NexudusClient, settings: Settings) -> None:
        self._client = client
        self._page_size = settings.page_size
        self._zone = ZoneInfo(settings.filter_timezone)

    def search(
        self,
        filters: HistoryFilters = NO_FILTERS,
        *,
        page: int = 1,
        size: int | None = None,
        order_by: str | None = None,
        direction: int | None = None,
    ) -> SearchAnswer:
        """One page of entries. `size` defaults to NEXUDUS_PAGE_SIZE, `order_by` is a wire name (`UpdatedOn`).

        Raises EnvelopeError for a body that is not the envelope, DeepPageError for 403 beyond page 1,
        MissingFilterError, and what the client raises.
        """
        params = {"page": str(page), "size": str(size or self._page_size)}
        if order_by is not None:
            params["orderBy"] = order_by
        if direction is not None:
            params["dir"] = str(direction)
        reply = self._client.get(HISTORIES_PATH, params | wire_parameters(filters, self._zone))
        return decode_search(reply.body, reply.answered_at)

    def count(self, filters: HistoryFilters = NO_FILTERS) -> int:
        """How many entries there are, by the API's own count."""
        return self.search(filters, size=1).total_items

    def get_one(self, record_id: int) -> HistoryRecord | None:
        """The entry with this Id, or None if there is none."""
        try:
            reply = self._client.get(f"{HISTORIES_PATH}/{record_id}", {})
        except NotFoundError as error:
            if error.is_from_api:
                return None
            raise
        record = decode_record(reply.body)
        if not isinstance(record, HistoryRecord):
            raise BrokenPromiseError(f"Entry {record_id} came back as no valid record ({record.reason}).")
        return record

    def create(self, entry: NewHistoryEntry) -> int:
        """Create an entry and return its Id.

        Raises EntryRefusedError naming each property at fault, RefusedError for the role, UncertainWriteError when it
        may or may not have been created: then look for it first.
        """
        try:
            reply = self._client.post(HISTORIES_PATH, msgspec.to_builtins(entry))
        except BadRequestError as error:
            raise entry_refused(error.body) from None
        return created_id(reply)


def wire_parameters(filters: HistoryFilters, zone: ZoneInfo) -> dict[str, str]:
    """The query parameters of the filters that are set; instants to the minute in the zone that the API reads."""
    chosen = {name: getattr(filters, name) for name in WIRE_NAMES}
    return {WIRE_NAMES[name]: _wire(name, value, zone) for name, value in chosen.items() if value is not None}


def _wire(name: str, value: Any, zone: ZoneInfo) -> str:  # noqa: ANN401 - one of the filters' types
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _wire_minute(name, value, zone)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _wire_minute(name: str, instant: datetime, zone: ZoneInfo) -> str:
    if instant.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    minute = instant.astimezone(UTC).replace(second=0, microsecond=0)
    if name.startswith("to_") and minute < instant:
        minute += _MINUTE  # the format has no seconds: rather a row too many than one too few
    return minute.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def entry_refused(body: bytes) -> EntryRefusedError:
    """The error for a body that refuses a create: names each property, quotes no value that was sent."""
    try:
        answer = msgspec.json.decode(body, type=WriteAnswer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = WriteAnswer()
    problems = [(error.property_name or "", error.message or "is not accepted") for error in answer.errors or ()]
    said = "; ".join(f"{name}: {words}" if name else words for name, words in problems)
    return EntryRefusedError(
        f"The API refuses the entry ({said or answer.message or 'no reason given'}): mend it and send it again.",
        problems,
    )


def created_id(reply: Reply) -> int:
    """The new Id in the answer to a create. Raises EntryRefusedError or UncertainWriteError."""
    try:
        answer = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    if isinstance(answer, dict) and answer.get("WasSuccessful") is False:
        raise entry_refused(reply.body)
    value = answer.get("Value") if isinstance(answer, dict) and answer.get("WasSuccessful") else None
    new_id = value.get("Id") if isinstance(value, dict) else None
    if isinstance(new_id, int):
        return new_id
    raise UncertainWriteError(
        "The API's answer to a create cannot be read: look whether the entry is there before you send it again."
    )
