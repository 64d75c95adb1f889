"""The list of invoices: its parameters and its rows."""

from collections.abc import Sequence
from operator import attrgetter

from pipelines.sandbox.distortion import distorted_fields
from pipelines.sandbox.entities import Invoice
from pipelines.sandbox.invoice_wire import invoice_record
from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.listing import Listing, Table
from pipelines.sandbox.store import Store
from pipelines.sandbox.wire import ENCODER

_DAY = 86_400
_INSTANTS = ("UpdatedOn", "CreatedOn", "DueDate", "PaidOn", "InvoiceFromDate", "InvoiceToDate")

INVOICE_LIST = Listing(
    name="CoworkerInvoice",
    path="/api/billing/coworkerinvoices",
    values={
        "Id": attrgetter("id"),
        "Coworker": lambda invoice: invoice.member.id,
        "Business": lambda invoice: invoice.member.business.id,
        "InvoiceNumber": lambda invoice: invoice.number.casefold(),
        "Draft": attrgetter("draft"),
        "Paid": lambda invoice: invoice.paid_on is not None,
        "Void": attrgetter("void"),
        "UpdatedOn": attrgetter("updated_on"),
        "CreatedOn": attrgetter("created_on"),
        "DueDate": attrgetter("due_on"),
        "PaidOn": attrgetter("paid_on"),
        "InvoiceFromDate": attrgetter("created_on"),
        "InvoiceToDate": lambda invoice: invoice.created_on + 30 * _DAY,
    },
    kinds={"Id": "integers", "Coworker": "integer", "Business": "integer"}
    | dict.fromkeys(("Draft", "Paid", "Void"), "boolean")
    | dict.fromkeys(_INSTANTS, "instant"),
    equalities={"id": "Id"}
    | {f"CoworkerInvoice_{name}": name for name in ("Coworker", "Business", "InvoiceNumber", "Draft", "Paid", "Void")},
    range_fields=_INSTANTS,
)


def invoice_table(store: Store, knobs: Knobs) -> Table:
    """The list of invoices over a store's rows."""

    def with_ids(ids: tuple[int, ...]) -> list[Invoice]:
        honoured = ids[: knobs.most_ids_at_once or None]
        return [store.invoices[one] for one in honoured if one in store.invoices]

    def encoded(invoices: Sequence[Invoice], knobs: Knobs) -> bytes:
        return ENCODER.encode([distorted_fields(invoice_record(one), one.id, knobs) for one in invoices])

    return Table(
        INVOICE_LIST,
        store.lock,
        {
            "UpdatedOn": store.invoices_by_updated_on,
            "CreatedOn": store.invoices_by_created_on,
            "Id": store.invoices_by_id,
            "PaidOn": store.by_paid_on,
        },
        encoded,
        by_value={"Id": with_ids},
    )
