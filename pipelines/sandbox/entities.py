"""What the emulated operator is made of: businesses, members, invoices and their history entries.

Instants are whole seconds since 1970 UTC, as the API keeps no finer ones; amounts are integers in the currency's
smallest unit. Change an entry or an invoice only through the store, which keeps its indexes in step.
"""

from dataclasses import dataclass, field
from decimal import Decimal

DECIMALS = {"GBP": 2, "USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}


@dataclass(slots=True, frozen=True)
class Business:
    """A location that issues invoices in one currency, and whose collections one provider makes in its words."""

    id: int
    name: str
    currency_code: str
    time_zone: str
    country: str
    provider: str = "gocardless"
    language: str = "en"


@dataclass(slots=True, frozen=True)
class Member:
    """A customer ("Coworker") of one business."""

    id: int
    full_name: str
    bill_to_name: str
    email: str
    business: Business


@dataclass(slots=True, eq=False)
class Invoice:
    """An invoice. `head` caches its part of an entry's JSON until the invoice changes.

    `way` is how it is collected: debit, card, transfer or nothing. `part_paid` is what came in before it was paid,
    `credits` the invoice that this one is a credit note of; that one's `credited` and this one's `amount`, below zero,
    are the same sum.
    """

    id: int
    member: Member
    number: str
    amount: int
    due_on: int
    draft: bool = False
    paid_on: int | None = None
    refunded_on: int | None = None
    entries: list["Entry"] = field(default_factory=list)
    head: bytes | None = None
    created_on: int = 0
    updated_on: int = 0
    way: str = "transfer"
    void: bool = False
    part_paid: int = 0
    credited: int = 0
    credits: "Invoice | None" = None
    last_attempt_on: int | None = None

    @property
    def due(self) -> int:
        """What is still to be paid."""
        return 0 if self.void or self.paid_on is not None else self.amount - self.part_paid - self.credited

    @property
    def is_open(self) -> bool:
        """Whether there is anything still to be paid."""
        return not self.draft and self.due > 0

    @property
    def total_amount(self) -> Decimal:
        """The amount in the currency's main unit, with just as many decimals as the currency has."""
        return Decimal(self.amount).scaleb(-DECIMALS[self.member.business.currency_code])


@dataclass(slots=True, eq=False)
class Entry:
    """One CoworkerInvoiceHistory row. `tail` caches its own part of the record's JSON until it changes.

    `is_repeated_report` is the truth about an attempt that an earlier entry reports too; the API does not tell it.
    """

    id: int
    invoice: Invoice
    name: str
    description: str
    is_problem: bool
    created_on: int
    updated_on: int | None
    updated_by: str = "system@nexudus.com"
    notify: bool = False
    tail: bytes | None = None
    is_repeated_report: bool = False


@dataclass(slots=True)
class Operator:
    """A whole tenant at the instant `until`."""

    businesses: list[Business]
    invoices: list[Invoice]
    entries: list[Entry]
    until: int
