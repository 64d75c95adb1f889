"""Whether an invoice is still to be paid, asked of the API just before something is sent about it."""

from collections.abc import Callable
from typing import cast

from pipelines.errors import BrokenPromiseError, RefusedError
from pipelines.extract.axes import Filters
from pipelines.extract.entity import Source
from pipelines.extract.invoices import InvoiceRecord

Unwanted = Callable[[int], str | None]
"""Of an invoice's Id: why nothing is to be sent about it; None where it is still to be paid."""


def unwanted_by(invoices: Source, probed: int, *, must_read: bool) -> Unwanted | None:
    """How to ask about an invoice; None where the API does not answer about the invoice `probed`.

    Raises what the client raises, a refusal only where invoices must be read.
    """

    def unwanted(invoice_id: int) -> str | None:
        answer = invoices.search(Filters(keys=(invoice_id,)), size=1)
        records = cast("list[InvoiceRecord]", answer.records)
        if answer.rejected or any(record.id != invoice_id for record in records):
            raise BrokenPromiseError(
                f"The API was asked for invoice {invoice_id} and answered something else, so nothing was sent: run "
                "`nexudus-billing doctor`."
            )
        state = state_of(records[0]) if records else "deleted"
        return f"the invoice is {state}, so nothing was sent" if state else None

    try:
        unwanted(probed)
    except (RefusedError, BrokenPromiseError):
        if must_read:
            raise
        return None
    return unwanted


def state_of(invoice: InvoiceRecord) -> str | None:  # noqa: PLR0911 - a table of cases reads best as one
    """Why it is not to be paid, in words; None where it is. In the order of the model of invoices."""
    total = invoice.total_amount or 0
    # The API's own flag is set on ordinary invoices too.
    if invoice.original_invoice_guid or total < 0:
        return "a credit note"
    if invoice.draft:
        return "a draft"
    if invoice.void:
        return "voided"
    if invoice.refunded or invoice.refunded_on:
        return "refunded"
    if invoice.paid or invoice.paid_on:
        return "paid"
    left = total - (invoice.paid_amount or 0) - (invoice.credited_amount or 0)
    due = left if invoice.due_amount is None else invoice.due_amount
    if due <= 0:
        return "credited" if invoice.credited_amount else "paid"
    return None
