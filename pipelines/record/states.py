"""The states of an entry on its way to the API, as a pure function: planned → sending → confirmed | refused | unsure.

An entry is stored as `sending` before its request goes out, so after a crash it is known that the API may have it. An
unsure entry is settled by looking, never by sending: if found it is `confirmed`; if absent it may be sent again, but
only after `settles_at`, because a server may finish a request after its connection has broken.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """How far an entry has got."""

    PLANNED = "planned"
    SENDING = "sending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNSURE = "unsure"


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the outbox: an entry, its reference, and its state. Instants are aware (UTC).

    `description` is the text as it is sent. From `settles_at` on, the absence of an unsure entry is conclusive.
    """

    reference: str
    source: str
    cause: str
    invoice_id: int
    name: str
    description: str
    is_problem: bool
    notify: bool
    state: State
    attempt_count: int
    entry_id: int | None
    detail: str | None
    planned_at: datetime
    sent_at: datetime | None
    settles_at: datetime | None
    changed_at: datetime

    @property
    def is_final(self) -> bool:
        """Whether it is confirmed or refused, so that nothing is left to do."""
        return self.state in {State.CONFIRMED, State.REFUSED}

    @property
    def body(self) -> dict[str, object]:
        """The JSON that is posted: every field of the API's create page."""
        return {
            "CoworkerInvoiceId": self.invoice_id,
            "Name": self.name,
            "Description": self.description,
            "IsProblem": self.is_problem,
            "Notify": self.notify,
        }


@dataclass(frozen=True)
class Claimed:
    """It is about to be sent, by the process that stores this; `is_silent`: without a notification in any case."""

    is_silent: bool = False


@dataclass(frozen=True)
class Created:
    """The API answered with the new entry's Id."""

    entry_id: int


@dataclass(frozen=True)
class Rejected:
    """The API refused it and created nothing."""

    why: str


@dataclass(frozen=True)
class NotSent:
    """The request was not carried out: no connection, throttled, no role."""

    why: str


@dataclass(frozen=True)
class Doubted:
    """The API may have created it, or may still do so until `settles_at`."""

    why: str
    settles_at: datetime


@dataclass(frozen=True)
class Found:
    """It was found in the API."""

    entry_id: int


@dataclass(frozen=True)
class Absent:
    """A complete look that began at `looked_at` did not find it."""

    looked_at: datetime


@dataclass(frozen=True)
class Withdrawn:
    """It is no longer needed, and was not sent."""

    why: str


@dataclass(frozen=True)
class PlannedAgain:
    """It was refused before, and is requested again."""


Event = Claimed | Created | Rejected | NotSent | Doubted | Found | Absent | Withdrawn | PlannedAgain


class IllegalChangeError(AssertionError):
    """An event that cannot happen in this state: a bug in this program, stopped before it does harm."""


def after(  # noqa: C901, PLR0911 - a table of cases reads best as one
    entry: OutboxEntry, event: Event, at: datetime
) -> OutboxEntry:
    """The entry after an event; the very same one where nothing changes. Raises IllegalChangeError."""
    match entry.state, event:
        case State.PLANNED, Claimed(is_silent):
            notify, attempt_count = entry.notify and not is_silent, entry.attempt_count + 1
            return _moved(entry, State.SENDING, at, attempt_count=attempt_count, sent_at=at, detail=None, notify=notify)
        case State.SENDING, Created(entry_id):
            return _moved(entry, State.CONFIRMED, at, entry_id=entry_id)
        case State.SENDING, NotSent(why):
            return _moved(entry, State.PLANNED, at, detail=why)
        case ((State.SENDING | State.UNSURE), Doubted(why, settles_at)):
            return _moved(entry, State.UNSURE, at, detail=why, settles_at=settles_at)
        case State.SENDING | State.UNSURE, Rejected(why):
            return _moved(entry, State.REFUSED, at, detail=why)
        case State.PLANNED | State.UNSURE, Found(entry_id):
            return _moved(entry, State.CONFIRMED, at, entry_id=entry_id)
        case State.UNSURE, Absent(looked_at) if entry.settles_at is not None and looked_at >= entry.settles_at:
            return _moved(entry, State.PLANNED, at)
        case ((State.PLANNED | State.UNSURE), Absent(_)):
            return entry
        case State.PLANNED, Withdrawn(why):
            return _moved(entry, State.REFUSED, at, detail=why)
        case State.REFUSED, PlannedAgain():
            return _moved(entry, State.PLANNED, at, detail=None)
        case _:
            raise IllegalChangeError(f"{entry.reference} is {entry.state}: {event} cannot be.")


def _moved(entry: OutboxEntry, state: State, at: datetime, **changes: object) -> OutboxEntry:
    settles_at = None if state is not State.UNSURE else entry.settles_at
    return msgspec.structs.replace(entry, **{"settles_at": settles_at, "state": state, "changed_at": at, **changes})
