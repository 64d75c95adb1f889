"""History entries of invoices, CoworkerInvoiceHistory: their description, and how the API answers a create.

Source: the API's reference pages for searching and creating them.
"""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from pipelines.extract.axes import Axis
from pipelines.extract.entity import Entity, Lookup
from pipelines.extract.failures import EntryRefusedError, UncertainWriteError
from pipelines.extract.records import JSON_NULL, UNREADABLE, Contract, Int64, Record

if TYPE_CHECKING:  # httpx takes a quarter of a second to import, and who describes asks nothing
    from pipelines.extract.client import Reply


class HistoryRecord(Record, kw_only=True):
    """One history entry of an invoice as the API answered it.

    The `coworker_invoice_*` fields other than the id are joined by the API when it is asked: they are true as of the
    answer, not as of `updated_on`.
    """

    coworker_invoice_id: Int64
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
    localization_details: msgspec.Raw = JSON_NULL
    custom_fields: msgspec.Raw = JSON_NULL


PAID_ON = Axis("CoworkerInvoicePaidOn", "coworker_invoice_paid_on")
REFUNDED_ON = Axis("CoworkerInvoiceRefundedOn", "coworker_invoice_refunded_on")

HISTORIES = Entity(
    name="CoworkerInvoiceHistory",
    noun="entries",
    path="/api/billing/coworkerinvoicehistories",
    contract=Contract(HistoryRecord),
    table="coworker_invoice_histories",
    versions_table="coworker_invoice_history_versions",
    lookup=Lookup("coworker_invoice_id", "CoworkerInvoiceHistory_CoworkerInvoice"),
    further_axes=(PAID_ON, REFUNDED_ON),
    business_column="coworker_invoice_business_id",
    person_column="coworker_invoice_coworker_id",
    people_columns=("coworker_invoice_coworker_full_name", "coworker_invoice_bill_to_name", "updated_by"),
    text_columns=("name", "description"),
    free_columns=("system_id", "to_string_text", "localization_details", "custom_fields"),
)
CREATE_ROLE = "CoworkerInvoiceHistory-Create"


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


def entry_refused(body: bytes) -> EntryRefusedError:
    """The error for a body that refuses a create: names each property, quotes no value that was sent."""
    try:
        answer = msgspec.json.decode(body, type=WriteAnswer, strict=False)
    except UNREADABLE:
        answer = WriteAnswer()
    problems = [(error.property_name or "", error.message or "is not accepted") for error in answer.errors or ()]
    said = "; ".join(f"{name}: {words}" if name else words for name, words in problems)
    return EntryRefusedError(
        f"The API refuses the entry ({said or answer.message or 'no reason given'}): correct it and send it again.",
        problems,
    )


def created_id(reply: "Reply") -> int:
    """The new Id in the answer to a create. Raises EntryRefusedError or UncertainWriteError."""
    try:
        answer = msgspec.json.decode(reply.body)
    except UNREADABLE:
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
