"""The live data behind the API, and the ground truth for tests. Every change goes through here, under one lock."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipelines.sandbox.entities import Business, Entry, Invoice, Operator
from pipelines.sandbox.invoice_states import credit_note
from pipelines.sandbox.invoice_wire import invoice_record
from pipelines.sandbox.no_collection import no_collection
from pipelines.sandbox.sandbox_clock import SandboxClock, seconds
from pipelines.sandbox.sorted_index import SortedIndex
from pipelines.sandbox.wire import entry_tail, invoice_head, record


class Store:
    """An operator's rows with their indexes. Safe to change from any thread while the server answers."""

    def __init__(self, operator: Operator, clock: SandboxClock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.until = operator.until
        self.businesses: list[Business] = operator.businesses
        self.invoices: dict[int, Invoice] = {invoice.id: invoice for invoice in operator.invoices}
        self.by_id: SortedIndex[Entry] = SortedIndex(lambda entry: entry.id, operator.entries)
        self.by_created_on: SortedIndex[Entry] = SortedIndex(lambda entry: entry.created_on, self.by_id.items)
        self.by_updated_on: SortedIndex[Entry] = SortedIndex(lambda entry: entry.updated_on, self.by_created_on.items)
        self.by_paid_on: SortedIndex[Invoice] = SortedIndex(
            lambda invoice: invoice.paid_on, (one for one in operator.invoices if one.paid_on is not None)
        )
        self.by_refunded_on: SortedIndex[Invoice] = SortedIndex(
            lambda invoice: invoice.refunded_on, (one for one in operator.invoices if one.refunded_on is not None)
        )
        every = self.invoices.values()
        self.invoices_by_id: SortedIndex[Invoice] = SortedIndex(lambda invoice: invoice.id, every)
        self.invoices_by_created_on: SortedIndex[Invoice] = SortedIndex(lambda invoice: invoice.created_on, every)
        self.invoices_by_updated_on: SortedIndex[Invoice] = SortedIndex(lambda invoice: invoice.updated_on, every)
        self.deleted_ids: set[int] = set()
        self.notified_ids: list[int] = []
        self.changes: Counter[str] = Counter()
        self._next_id = self.by_id.items[-1].id + 1 if self.by_id.items else 1

    def __len__(self) -> int:
        """Number of entries that exist."""
        return len(self.by_id.items)

    def get(self, entry_id: int) -> Entry | None:
        """The entry with this Id, or None."""
        found = self.by_id.between(entry_id, entry_id + 1)
        return found[0] if found else None

    def entry(self, entry_id: int) -> Entry:
        """The entry with this Id. Raises LookupError."""
        found = self.get(entry_id)
        if found is None:
            raise LookupError(f"there is no history entry {entry_id}")
        return found

    def truth(self, where: Callable[[Entry], bool] | None = None) -> list[dict[str, Any]]:
        """Every record that exists, in order of Id, by its wire names, as Decimals, datetimes, booleans and text."""
        with self.lock:
            return [record(entry) for entry in self.by_id.items if where is None or where(entry)]

    def insert(
        self,
        invoice_id: int,
        name: str,
        description: str,
        *,
        is_problem: bool = False,
        notify: bool = False,
        created_on: datetime | int | None = None,
        updated_on: datetime | int | None = None,
        updated_by: str = "system@nexudus.com",
    ) -> Entry:
        """A new entry, stamped now unless told otherwise. `notify` sends (counts) a notification."""
        with self.lock:
            now = self.clock.now()
            updated = now if updated_on is None else seconds(updated_on)
            created = min(now, updated) if created_on is None else seconds(created_on)
            entry = Entry(
                self._next_id,
                self.invoices[invoice_id],
                name,
                description,
                is_problem,
                created,
                updated,
                updated_by,
                notify,
            )
            self._next_id += 1
            self._file(entry)
            entry.invoice.entries.append(entry)
            if notify:
                self.notified_ids.append(entry.id)
            self.changes["insert"] += 1
            return entry

    def update(
        self,
        entry_id: int,
        *,
        name: str | None = None,
        description: str | None = None,
        is_problem: bool | None = None,
        updated_on: datetime | int | None = None,
    ) -> Entry:
        """Change an entry as PUT does; UpdatedOn becomes now unless told otherwise."""
        with self.lock:
            entry = self.entry(entry_id)
            self.by_updated_on.remove(entry)
            entry.updated_on = self.clock.now() if updated_on is None else seconds(updated_on)
            self.by_updated_on.add(entry)
            entry.name = entry.name if name is None else name
            entry.description = entry.description if description is None else description
            entry.is_problem = entry.is_problem if is_problem is None else is_problem
            entry.tail = None
            self.changes["update"] += 1
            return entry

    def forget_updated_on(self, entry_id: int) -> Entry:
        """Make UpdatedOn null, as old imports have it: no filter on UpdatedOn finds the entry any more."""
        with self.lock:
            entry = self.entry(entry_id)
            self.by_updated_on.remove(entry)
            entry.updated_on, entry.tail = None, None
            self.by_updated_on.add(entry)
            return entry

    def delete(self, entry_id: int) -> Entry:
        """Remove an entry for good; the API keeps no trace of it."""
        with self.lock:
            entry = self.entry(entry_id)
            for index in (self.by_id, self.by_created_on, self.by_updated_on):
                index.remove(entry)
            entry.invoice.entries.remove(entry)
            self.deleted_ids.add(entry.id)
            self.changes["delete"] += 1
            return entry

    def restore(self, entry: Entry) -> None:
        """Put a deleted entry back, as if it had never been away."""
        with self.lock:
            self._file(entry)
            entry.invoice.entries.append(entry)
            self.deleted_ids.discard(entry.id)

    def pay(self, invoice_id: int, at: datetime | int | None = None, *, fee: int = 0) -> Invoice:
        """Mark an invoice paid: all its entries show it at once, and no UpdatedOn moves, not even its own.

        `fee` is the gateway's, which becomes a line of the invoice: its total grows.
        """
        with self.lock:
            invoice = self.invoices[invoice_id]
            if invoice.paid_on is not None:
                self.by_paid_on.remove(invoice)
            invoice.paid_on, invoice.head = self.clock.now() if at is None else seconds(at), None
            invoice.amount += fee
            self.by_paid_on.add(invoice)
            self.changes["pay"] += 1
            return invoice

    def refund(self, invoice_id: int, at: datetime | int | None = None) -> Invoice:
        """Mark an invoice refunded, in the same way."""
        with self.lock:
            invoice = self.invoices[invoice_id]
            if invoice.refunded_on is not None:
                self.by_refunded_on.remove(invoice)
            invoice.refunded_on, invoice.head = self.clock.now() if at is None else seconds(at), None
            self.by_refunded_on.add(invoice)
            self.changes["refund"] += 1
            return invoice

    def part_pay(self, invoice_id: int) -> Invoice:
        """Half of what is due comes in; UpdatedOn does not move."""
        with self.lock:
            invoice = self.invoices[invoice_id]
            invoice.part_paid += invoice.due // 2
            self.changes["part_pay"] += 1
            return invoice

    def void(self, invoice_id: int) -> Invoice:
        """Cancel an invoice: it will never be collected, and its entries do not show it."""
        with self.lock:
            invoice = self.invoices[invoice_id]
            invoice.void = True
            self._touch(invoice)
            self.changes["void"] += 1
            return invoice

    def credit(self, invoice_id: int) -> Invoice:
        """Credit all that is due of an invoice; returns the credit note."""
        with self.lock:
            invoice = self.invoices[invoice_id]
            self.invoices_by_updated_on.remove(invoice)
            note = credit_note(invoice, self.clock.now())
            self.invoices_by_updated_on.add(invoice)
            self.invoices[note.id] = note
            for index in (*self._invoice_indexes, self.by_paid_on):
                index.add(note)
            self.changes["credit"] += 1
            return note

    def delete_invoice(self, invoice_id: int) -> Invoice:
        """Remove an invoice and its entries for good."""
        with self.lock:
            invoice = self.invoices.pop(invoice_id)
            for entry in list(invoice.entries):
                self.delete(entry.id)
            for index in self._invoice_indexes:
                index.remove(invoice)
            return invoice

    def invoice_truth(self) -> list[dict[str, Any]]:
        """Every invoice that exists, in order of Id, by its wire names."""
        with self.lock:
            return [invoice_record(invoice) for invoice in self.invoices_by_id.items]

    def set_amount(self, invoice_id: int, total_amount: Decimal) -> Invoice:
        """Change an invoice's total, which must fit its currency's decimals."""
        with self.lock:
            invoice = self.invoices[invoice_id]
            unit = invoice.total_amount.as_tuple().exponent
            invoice.amount, invoice.head = int(total_amount.scaleb(-int(unit))), None
            self.changes["amend"] += 1
            return invoice

    def collect(self, at: datetime | int, count: int, *, spread_seconds: int = 60) -> list[Entry]:
        """A collection batch: `count` entries stamped over `spread_seconds` from `at`, many in the same second."""
        with self.lock:
            start, invoices = seconds(at), [one.id for one in self.invoices.values() if one.credits is None]
            entries = []
            for position in range(count):
                stamp = start + position * spread_seconds // count
                text = "AWAITING: Payment has been submitted to the banks."
                invoice_id = invoices[position * 7919 % len(invoices)]
                entries.append(self.insert(invoice_id, "Payment Result", text, created_on=stamp, updated_on=stamp))
            return entries

    def warm(self) -> None:
        """Encode every record once, so that the first reading is as quick as the next."""
        with self.lock, no_collection():
            for invoice in self.invoices.values():
                invoice_head(invoice)
            for entry in self.by_id.items:
                entry_tail(entry)

    def _touch(self, invoice: Invoice) -> None:
        self.invoices_by_updated_on.remove(invoice)
        invoice.updated_on = self.clock.now()
        self.invoices_by_updated_on.add(invoice)

    @property
    def _invoice_indexes(self) -> tuple[SortedIndex[Invoice], ...]:
        return self.invoices_by_id, self.invoices_by_created_on, self.invoices_by_updated_on

    def _file(self, entry: Entry) -> None:
        for index in (self.by_id, self.by_created_on, self.by_updated_on):
            index.add(entry)
