"""What happens to one invoice: sent, e-invoiced, collected in nightly batches, retried, paid or not, refunded."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from pipelines.sandbox import wording
from pipelines.sandbox.entities import Entry, Invoice, Member
from pipelines.sandbox.wording import Said, said

_DAY = 86_400
_HOUR = 3600
_RETRY_AFTER_DAYS = (3, 4, 7)
_PER_SECOND = 6
_WORSE_FOR = 42 * _DAY


@dataclass(slots=True)
class Terms:
    """How a member pays, and what for."""

    member: Member
    price: int
    way: str
    failure_ratio: float
    failures: list[str]
    weights: list[int]
    due_after_days: int


class Biller:
    """Writes invoices and entries, in no order yet, up to the instant `end`."""

    def __init__(self, random: Random, end: int, reported_twice_share: float = 0) -> None:
        self.random = random
        self.reported_twice_share = reported_twice_share
        # A stream of its own: what is reported twice changes nothing else of the tenant.
        self.repeating = Random("reported twice")  # noqa: S311 - the same from the same seed
        self.end = end
        self.invoices: list[Invoice] = []
        self.entries: list[Entry] = []
        self._batches: Counter[tuple[int, int]] = Counter()

    def terms(self, member: Member) -> Terms:
        """A plan and a way to pay for a member."""
        random, business = self.random, member.business
        way = random.choices(["debit", "card", "transfer", "nothing"], [52, 33, 12, 3])[0]
        failures = list((wording.CARD_FAILURES if way == "card" else wording.DEBIT_FAILURES).items())
        if business.currency_code == "EUR" and business.language != "en":
            failures += wording.EURO_FAILURES.items()
        return Terms(
            member,
            random.choice(wording.PLANS[business.currency_code]),
            way,
            min(0.5, random.expovariate(1 / 0.07)),
            [says for says, _ in failures],
            [weight for _, weight in failures],
            random.choice((0, 0, 7, 14)),
        )

    def issue(self, invoice_id: int, number: str, terms: Terms, issued: int) -> None:
        """An invoice at the instant `issued`, and its whole life so far."""
        random = self.random
        extras = terms.price // random.randrange(3, 40) if self._happens(0.4) else 0
        amount = 0 if self._happens(0.015) else terms.price + extras
        due = issued // _DAY * _DAY + terms.due_after_days * _DAY
        invoice = Invoice(invoice_id, terms.member, number, amount, due, draft=self._happens(0.015))
        invoice.created_on, invoice.updated_on, invoice.way = issued, issued, terms.way
        self.invoices.append(invoice)
        if invoice.draft:
            self._say(invoice, issued, "Invoice drafted", f"Draft invoice {number} was created.")
            return
        self._say(invoice, issued + 4, wording.SENT, f"Invoice {number} was sent to {terms.member.email}.")
        self._e_invoice(invoice, issued)
        if amount == 0:
            invoice.paid_on = issued
        elif terms.way == "transfer":
            self._receive(invoice, issued + int(random.expovariate(1 / (12 * _DAY))))
        else:
            self._collect(invoice, terms, max(due, issued // _DAY * _DAY))
        self._maybe_refund(invoice)

    def note(self, invoice: Invoice, at: int) -> None:
        """One more "in flight" entry on an invoice."""
        self._tell(invoice, at, said("in_flight", invoice.member.business)[1])

    def _say(self, invoice: Invoice, at: int, name: str, description: str, is_problem: bool = False) -> None:  # noqa: FBT001, FBT002 - called a million times
        if at <= self.end:
            entry = Entry(0, invoice, name, description, is_problem, at, at)
            self.entries.append(entry)
            invoice.entries.append(entry)

    def _tell(self, invoice: Invoice, at: int, one: Said) -> None:
        self._say(invoice, at, one.name, _with_amount(one.text, invoice), one.is_problem)

    def _repeat(self, invoice: Invoice, at: int, one: Said) -> None:
        """A second report of the attempt that was reported last, in another form, within the day."""
        if self.reported_twice_share and self.repeating.random() < self.reported_twice_share:
            at += self.repeating.randrange(30, 20 * _HOUR)
            self._tell(invoice, at, one)
            if at <= self.end:
                invoice.entries[-1].is_repeated_report = True

    def _happens(self, share: float) -> bool:
        return self.random.random() < share

    def _e_invoice(self, invoice: Invoice, issued: int) -> None:
        business = invoice.member.business
        at = issued + 30
        for sent in said("einvoice_sent", business):
            if self._happens(0.08):
                self._tell(invoice, at, self.random.choice(said("einvoice_problem", business)))
                at += self.random.randrange(_HOUR, 3 * _DAY)
            self._tell(invoice, at, sent)

    def _collect(self, invoice: Invoice, terms: Terms, day: int) -> None:
        """Up to four attempts, each in the night batch of its business; what is left may come in by transfer."""
        random = self.random
        if terms.way == "nothing":
            at = self._batch_second(invoice, day)
            (no_mandate,) = said("no_mandate", invoice.member.business)
            self._tell(invoice, at, no_mandate)
            self._repeat(invoice, at, _final(no_mandate))
            (asked,) = said("mandate_requested", invoice.member.business)
            self._tell(invoice, day + 2 * _DAY + 9 * _HOUR, asked)
            if self._happens(0.5):
                return
            day += 7 * _DAY
        for wait in (*_RETRY_AFTER_DAYS, 0):
            at = self._batch_second(invoice, day)
            if at > self.end:
                return
            if self._attempt(invoice, terms, at, first=wait == _RETRY_AFTER_DAYS[0]):
                return
            day += wait * _DAY
        if self._happens(0.4):
            self._receive(invoice, day + random.randrange(1, 50) * _DAY + 10 * _HOUR)

    def _attempt(self, invoice: Invoice, terms: Terms, at: int, *, first: bool) -> bool:
        """One attempt at the instant `at`; True when nothing more will be tried."""
        random, business = self.random, terms.member.business
        outcome_at = at
        failed = self._happens(self._failure_ratio(terms, at, first=first))
        failure = said(random.choices(terms.failures, terms.weights)[0], business)[0] if failed else None
        # What the provider refuses outright was never in flight.
        if terms.way == "debit" and (failure is None or failure.is_problem):
            awaiting = said("in_flight", business)
            self._tell(invoice, at, awaiting[0] if self._happens(0.3) else random.choice(awaiting))
            outcome_at = at + int(random.gauss(5.9, 1.1) * _DAY) // _HOUR * _HOUR + random.randrange(1200)
            outcome_at = max(at + _DAY, outcome_at)
        if outcome_at > self.end:
            return True
        invoice.last_attempt_on = outcome_at
        if failure is not None:
            self._tell(invoice, outcome_at, failure)
            if not failure.is_problem:
                self._repeat(invoice, outcome_at, _final(failure))
            return False
        invoice.paid_on = outcome_at
        reports = said("collected", business)[0], said("received", business)[0]
        first_report, second = reports if terms.way == "debit" or self._happens(0.8) else reports[::-1]
        self._tell(invoice, outcome_at, first_report)
        self._repeat(invoice, outcome_at, second)
        return True

    def _failure_ratio(self, terms: Terms, at: int, *, first: bool) -> float:
        """A retry fails more often than a first attempt; at one business all go wrong more and more."""
        ratio = terms.failure_ratio if first else max(0.35, terms.failure_ratio)
        worse_for = at - (self.end - _WORSE_FOR)
        if worse_for > 0 and terms.member.business.name == wording.WORSENING_PLACE:
            ratio += 0.12 + 0.33 * worse_for / _WORSE_FOR
        return min(0.9, ratio)

    def _batch_second(self, invoice: Invoice, day: int) -> int:
        """The next second in the night batch of the invoice's business, between 22:00 and 02:00 UTC."""
        business_id = invoice.member.business.id
        batch = (business_id, day)
        place = self._batches[batch]
        self._batches[batch] = place + 1
        start = 22 * _HOUR + business_id * 1229 % (3 * _HOUR + 1800)
        return day + start + place // _PER_SECOND

    def _receive(self, invoice: Invoice, at: int) -> None:
        if at > self.end:
            return
        invoice.paid_on = at
        self._tell(invoice, at, said("transferred", invoice.member.business)[0])

    def _maybe_refund(self, invoice: Invoice) -> None:
        if invoice.paid_on is None or invoice.amount == 0 or not self._happens(0.015):
            return
        at = invoice.paid_on + self.random.randrange(1, 30) * _DAY
        if at <= self.end:
            invoice.refunded_on = at
            self._say(invoice, at, wording.REFUND, f"Invoice {invoice.number} was refunded.")


def _with_amount(text: str, invoice: Invoice) -> str:
    return text.replace("{amount}", f"{invoice.member.business.currency_code} {invoice.total_amount}")


def _final(awaiting: Said) -> Said:
    """The same failure as Nexudus reports it at last, flagged."""
    return awaiting._replace(text=awaiting.text.replace("AWAITING", "FAILED"))
