"""A record and the envelope as the API writes them. The invoice's fields are joined when the question is asked."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipelines.sandbox.entities import Entry, Invoice

# Decimals go out as JSON numbers without ever having been floats.
ENCODER = msgspec.json.Encoder(decimal_format="number")
_UNIQUE_ID_FACTOR = 0x9E3779B97F4A7C15F39CC0605CEDC835


def instant(second: int | None) -> datetime | None:
    """A datetime in UTC."""
    return None if second is None else datetime.fromtimestamp(second, UTC)


def unique_id(entry_id: int) -> str:
    """The same GUID for the same Id in every process, so that it need not be kept."""
    return str(uuid.UUID(int=(entry_id + 1) * _UNIQUE_ID_FACTOR % (1 << 128), version=4))


def invoice_fields(invoice: Invoice) -> dict[str, Any]:
    """The embedded invoice fields of a record, as Python values."""
    member = invoice.member
    return {
        "CoworkerInvoiceId": invoice.id,
        "CoworkerInvoiceCoworkerId": member.id,
        "CoworkerInvoiceBusinessId": member.business.id,
        "CoworkerInvoiceBusinessCurrencyCode": member.business.currency_code,
        "CoworkerInvoiceCoworkerFullName": member.full_name,
        "CoworkerInvoiceTotalAmount": invoice.total_amount,
        "CoworkerInvoiceInvoiceNumber": invoice.number,
        "CoworkerInvoiceBillToName": member.bill_to_name,
        "CoworkerInvoicePaid": invoice.paid_on is not None,
        "CoworkerInvoicePaidOn": instant(invoice.paid_on),
        "CoworkerInvoiceRefunded": invoice.refunded_on is not None,
        "CoworkerInvoiceRefundedOn": instant(invoice.refunded_on),
        "CoworkerInvoiceDueDate": instant(invoice.due_on),
        "CoworkerInvoiceDraft": invoice.draft,
    }


def own_fields(entry: Entry) -> dict[str, Any]:
    """The fields of the history entry itself, as Python values."""
    return {
        "Name": entry.name,
        "Description": entry.description,
        "IsProblem": entry.is_problem,
        "Notify": entry.notify,
        "Id": entry.id,
        "UpdatedOn": instant(entry.updated_on),
        "CreatedOn": instant(entry.created_on),
        "UniqueId": unique_id(entry.id),
        "UpdatedBy": entry.updated_by,
        "IsNew": False,
        "SystemId": None,
        "ToStringText": f"CoworkerInvoiceHistory {entry.name}",
        "LocalizationDetails": None,
        "CustomFields": None,
    }


def record(entry: Entry) -> dict[str, Any]:
    """The whole record as Python values (Decimal, datetime); also the ground truth of it."""
    return invoice_fields(entry.invoice) | own_fields(entry)


def invoice_head(invoice: Invoice) -> bytes:
    """The opening half of each record of the invoice: `{"CoworkerInvoiceId":1,...,`."""
    head = invoice.head = ENCODER.encode(invoice_fields(invoice))[:-1] + b","
    return head


def entry_tail(entry: Entry) -> bytes:
    """The closing half of a record: `"Name":"...",...},`."""
    tail = entry.tail = ENCODER.encode(own_fields(entry))[1:] + b","
    return tail


def encode_records(entries: Sequence[Entry]) -> bytes:
    """The `Records` array of a page, spliced from halves that are encoded once."""
    halves: list[bytes] = []
    for entry in entries:
        invoice = entry.invoice
        halves.append(invoice.head or invoice_head(invoice))
        halves.append(entry.tail or entry_tail(entry))
    return b"[" + b"".join(halves)[:-1] + b"]"


def envelope(
    records: bytes, *, page: int, size: int, order_by: str, direction: int, count: int, total: int
) -> tuple[bytes, ...]:
    """The parts of a search answer's body; `count` is the number of records on this page."""
    pages = -(-total // size)
    first = (page - 1) * size + 1 if count else 0
    around = {
        "CurrentPageSize": size,
        "CurrentPage": page,
        "CurrentOrderField": order_by,
        "CurrentSortDirection": direction,
        "FirstItem": first,
        "HasNextPage": page < pages,
        "HasPreviousPage": page > 1,
        "LastItem": first + count - 1 if count else 0,
        "PageNumber": page,
        "PageSize": size,
        "TotalItems": total,
        "TotalPages": pages,
    }
    return b'{"Records":', records, b",", ENCODER.encode(around)[1:]
