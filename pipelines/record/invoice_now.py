"""Whether an invoice is still to be paid, asked of the API just before something is sent about it."""

from collections.abc import Callable
from typing import cast

import duckdb

from pipelines.errors import BrokenPromiseError, RefusedError
from pipelines.extract.axes import Filters
from pipelines.extract.entity import Source
from pipelines.extract.invoices import InvoiceRecord
from pipelines.foundation.sql_files import sql_folder

_FACTS = (
    *("draft", "void", "refunded", "refunded_on", "paid", "paid_on", "original_invoice_guid"),
    *("total_amount", "due_amount", "paid_amount", "credited_amount"),
)
_STATE = """
select case
    when is_credit_note($original_invoice_guid, $total_amount) then 'a credit note'
    when status = 'draft' then 'a draft'
    when status not in ('open', 'partly_paid') then status
    when coalesce(left_amount, 0) <= 0 then 'paid'
end
from (
    select
        left_to_pay($due_amount, $total_amount, $paid_amount, $credited_amount) as left_amount,
        invoice_status(
            coalesce($draft, false), coalesce($void, false), coalesce($refunded, false) or $refunded_on is not null,
            coalesce($paid, false) or $paid_on is not null, left_amount, $total_amount, $paid_amount, $credited_amount
        ) as status,
)
"""

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


def state_of(invoice: InvoiceRecord) -> str | None:
    """Why it is not to be paid, in words; None where it is. By the macros of the model of invoices.

    Where flag and date contradict each other nothing is sent.
    """
    with duckdb.connect() as connection:
        connection.execute((sql_folder("model") / "macros" / "invoices.sql").read_text(encoding="utf-8"))
        facts = {name: getattr(invoice, name) for name in _FACTS}
        ((state,),) = connection.execute(_STATE, facts).fetchall()
    return cast("str | None", state)
