"""What the sandbox holds of our entries, and what it was asked."""

from pipelines.record.entries import Entry
from pipelines.sandbox.emulator import Sandbox


def made(running: Sandbox, entry: Entry) -> list[int]:
    """Ids of the server's entries that carry an entry's reference."""
    mark = f"[ref {entry.reference}]"
    return [row.id for row in running.store.invoices[entry.invoice_id].entries if mark in row.description]


def writes_of(running: Sandbox) -> int:
    """How many requests to create an entry it has got."""
    return sum(seen.method == "POST" and seen.path.endswith("histories") for seen in running.requests.seen)
