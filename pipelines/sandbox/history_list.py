"""The list of history entries: its documented parameters with their irregular wire names, and its rows."""

from collections.abc import Callable, Sequence
from typing import Any

from pipelines.sandbox.distortion import encode_distorted
from pipelines.sandbox.entities import Entry, Invoice
from pipelines.sandbox.listing import Listing, Table
from pipelines.sandbox.sorted_index import SortedIndex
from pipelines.sandbox.store import Store

_ENTITY = "CoworkerInvoiceHistory"

_VALUES: dict[str, Callable[[Entry], Any]] = {
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

_PATHS = (
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

HISTORY_LIST = Listing(
    name=_ENTITY,
    path="/api/billing/coworkerinvoicehistories",
    values=_VALUES,
    kinds={name: kind for kind, names in _KINDS.items() for name in names},
    # Equality names keep the underscores of the joined path, range names drop them.
    equalities={
        f"{_ENTITY}_{path}": path.replace("_", "") if path != "CoworkerInvoice" else "CoworkerInvoiceId"
        for path in _PATHS
    },
    range_fields=("CoworkerInvoiceCoworkerId", "CoworkerInvoiceBusinessId", *_KINDS["instant"]),
)


def history_table(store: Store) -> Table:
    """The list of history entries over a store's rows."""

    def of_invoice(invoice_id: int) -> Sequence[Entry]:
        invoice = store.invoices.get(invoice_id)
        return invoice.entries if invoice else []

    def of_invoices_in(index: SortedIndex[Invoice]) -> Callable[[Any, Any], Sequence[Entry]]:
        return lambda low, end: [entry for invoice in index.between(low, end) for entry in invoice.entries]

    return Table(
        HISTORY_LIST,
        store.lock,
        {"UpdatedOn": store.by_updated_on, "CreatedOn": store.by_created_on, "Id": store.by_id},
        encode_distorted,
        by_value={"CoworkerInvoiceId": of_invoice},
        by_range={
            "CoworkerInvoicePaidOn": of_invoices_in(store.by_paid_on),
            "CoworkerInvoiceRefundedOn": of_invoices_in(store.by_refunded_on),
        },
    )
