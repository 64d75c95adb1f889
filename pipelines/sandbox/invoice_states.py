"""What becomes of invoices that no history entry shows: voids, credit notes, part payments, and when the invoice moved.

By the Id alone, so that the entries of an operator are the same with it as without.
"""

from collections.abc import Iterable

from pipelines.sandbox.entities import Invoice
from pipelines.sandbox.faults import share_of

_DAY = 86_400
_OLD = 60 * _DAY
_VOIDED, _CREDITED, _PART_PAID = 0.2, 0.3, 0.45
# Nexudus applies payments without moving the invoice's UpdatedOn; edits by a person move it.
_MOVED_BY_PAYMENT = 0.3


def settle(seed: int, invoices: Iterable[Invoice], end: int) -> list[Invoice]:
    """Give each invoice its state at the instant `end`; returns the credit notes that this takes."""
    notes = []
    for invoice in invoices:
        if invoice.paid_on is not None:
            if share_of(seed, "moved by payment", invoice.id) < _MOVED_BY_PAYMENT:
                invoice.updated_on = max(invoice.updated_on, invoice.refunded_on or invoice.paid_on)
            continue
        if invoice.draft or end - invoice.created_on < _OLD:
            continue
        fate, at = share_of(seed, "fate", invoice.id), min(end, invoice.created_on + _OLD)
        if fate < _VOIDED:
            invoice.void, invoice.updated_on = True, at
        elif fate < _CREDITED:
            notes.append(credit_note(invoice, at))
        elif fate < _PART_PAID:
            invoice.part_paid = invoice.amount // 2
    return notes


def credit_note(invoice: Invoice, at: int) -> Invoice:
    """Credit all that is due: an invoice below zero takes its place, and neither is open any more.

    Invoices have Ids three apart, so that the next one is free for it.
    """
    due = invoice.due
    invoice.credited += due
    invoice.updated_on = at
    note = Invoice(invoice.id + 1, invoice.member, f"{invoice.number}-CN", -due, at, paid_on=at, credits=invoice)
    note.created_on, note.updated_on, note.way = at, at, invoice.way
    return note
