"""What happens between two answers: what a test has written down, then what chance brings, then time passes."""

from collections import deque
from collections.abc import Callable
from random import Random

from pipelines.sandbox.entities import Entry, Invoice
from pipelines.sandbox.faults import Faults
from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.store import Store
from pipelines.sandbox.wording import REFUND, said

EVENTS = ("update", "delete", "insert", "late_insert", "past_stamp", "pay", "refund", "part_pay", "void", "credit")
_OLD_SECONDS = 400 * 86_400
_TRIES = 500

Step = Callable[[Store], object]


class Life:
    """Changes the store after each answered search. Set `script` (one step an answer) and `on_answer` at will."""

    def __init__(self, store: Store, knobs: Knobs, faults: Faults) -> None:
        self.script: deque[Step | None] = deque()
        self.on_answer: Step | None = None
        self._store, self._knobs, self._faults = store, knobs, faults

    def between_answers(self) -> None:
        """One turn of life."""
        with self._store.lock:
            step = self.script.popleft() if self.script else None
            for scripted in (step, self.on_answer):
                if scripted is not None:
                    scripted(self._store)
            for event in EVENTS:
                rate: float = getattr(self._knobs, f"{event}_rate")
                if rate > 0:
                    random = self._faults.stream(f"life:{event}")
                    for _ in range(int(rate) + (random.random() < rate % 1)):
                        getattr(self, f"_{event}")(random)
        if self._knobs.clock_step_seconds:
            self._store.clock.advance(self._knobs.clock_step_seconds)

    def _update(self, random: Random) -> None:
        entry = self._any_entry(random)
        if entry is not None:
            self._store.update(entry.id, description=f"{entry.description.removesuffix(' (amended)')} (amended)")

    def _delete(self, random: Random) -> None:
        entry = self._any_entry(random)
        if entry is not None:
            self._store.delete(entry.id)

    def _insert(self, random: Random) -> None:
        self._note(random)

    def _late_insert(self, random: Random) -> None:
        self._note(random, created_on=self._store.clock.now() - random.randrange(1, _OLD_SECONDS))

    def _past_stamp(self, random: Random) -> None:
        at = self._store.clock.now() - self._knobs.past_stamp_seconds
        self._note(random, created_on=at, updated_on=at)

    def _pay(self, random: Random) -> None:
        invoice = self._any_invoice(random, lambda one: one.paid_on is None and not one.draft)
        if invoice is not None:
            self._store.pay(invoice.id)

    def _part_pay(self, random: Random) -> None:
        invoice = self._any_invoice(random, _can_be_settled)
        if invoice is not None:
            self._store.part_pay(invoice.id)

    def _void(self, random: Random) -> None:
        invoice = self._any_invoice(random, _can_be_settled)
        if invoice is not None:
            self._store.void(invoice.id)

    def _credit(self, random: Random) -> None:
        invoice = self._any_invoice(random, _can_be_settled)
        if invoice is not None:
            self._store.credit(invoice.id)

    def _refund(self, random: Random) -> None:
        invoice = self._any_invoice(random, lambda one: one.paid_on is not None and one.refunded_on is None)
        if invoice is not None:
            self._store.refund(invoice.id)
            self._store.insert(invoice.id, REFUND, f"Invoice {invoice.number} was refunded.")

    def _note(self, random: Random, *, created_on: int | None = None, updated_on: int | None = None) -> None:
        invoice = self._any_invoice(random, lambda one: not one.draft)
        if invoice is not None:
            awaiting = random.choice(said("in_flight", invoice.member.business))
            self._store.insert(invoice.id, *awaiting, created_on=created_on, updated_on=updated_on)

    def _any_entry(self, random: Random) -> Entry | None:
        entries = self._store.by_id.items
        return random.choice(entries) if entries else None

    def _any_invoice(self, random: Random, fits: Callable[[Invoice], bool]) -> Invoice | None:
        """One that fits, found through entries at random; None when a fair number of tries finds none."""
        for _ in range(_TRIES):
            entry = self._any_entry(random)
            if entry is not None and fits(entry.invoice):
                return entry.invoice
        return None


def _can_be_settled(invoice: Invoice) -> bool:
    return invoice.is_open and invoice.credited == 0 and invoice.due > 1
