"""What the sandbox holds of our entries, and what it was asked."""

from given_collection import NO_FUNDS

from pipelines.record.entries import Entry
from pipelines.sandbox.emulator import Sandbox


def made(running: Sandbox, entry: Entry) -> list[int]:
    """Ids of the server's entries that carry an entry's reference."""
    mark = f"[ref {entry.reference}]"
    return [row.id for row in running.store.invoices[entry.invoice_id].entries if mark in row.description]


def writes_of(running: Sandbox) -> int:
    """How many requests to create an entry it has got."""
    return sum(seen.method == "POST" and seen.path.endswith("histories") for seen in running.requests.seen)


def keeps_failing(running: Sandbox) -> int:
    """Id of an invoice that is given three failed payments and nothing else, so that a follow-up is due."""
    store = running.store
    invoice = next(one for one in store.invoices.values() if one.paid_on is None and not one.draft and one.amount)
    for entry in list(invoice.entries):
        store.delete(entry.id)
    for days in (10, 7, 4):
        moment = store.until - days * 86_400
        store.insert(invoice.id, "Payment Result", NO_FUNDS, created_on=moment, updated_on=moment)
    return invoice.id
