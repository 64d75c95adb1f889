"""Sends one entry as far as possible now: look, store `sending`, send, store the result.

Nothing is sent without looking just before: a look costs a request, a second notification costs more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pipelines.errors import PipelineError, RefusedError, TryAgainLaterError
from pipelines.extract.client import Reply
from pipelines.extract.failures import (
    BadRequestError,
    DoubtedRefusalError,
    EntryRefusedError,
    NotFoundError,
    UncertainWriteError,
)
from pipelines.extract.histories import created_id, entry_refused
from pipelines.record.reading_back import Sight
from pipelines.record.states import (
    Absent,
    Claimed,
    Created,
    Doubted,
    Event,
    Found,
    NotSent,
    OutboxEntry,
    Rejected,
    State,
    Withdrawn,
)
from pipelines.settings import Clock

_SENDS_PER_RUN = 3
_LEFT_SENDING = "the program ended while it was sending"
_STOPPED = "stopped while it was sending"
_PAID = "the invoice has been paid in the meantime, so nothing was sent"


class Changes(Protocol):
    """Stores changes before anything else happens."""

    def change(self, entry: OutboxEntry, event: Event) -> OutboxEntry:
        """The entry after the event, durably."""
        ...


@dataclass(frozen=True)
class Sender:
    """Sends entries of an outbox, on which it must hold the lock.

    `look` reads back, `post` sends once, `admit` waits for the pace of writes; all raise PipelineError. `settle` is
    how long a server may still carry out a request whose answer was lost. For `claim_lasts` an entry that is being sent
    is left to its sender; zero where the lock proves that there is none. `unwanted`, where given, says of an invoice
    why nothing is to be sent about it any more; then a paid one is left alone too. `is_silent`: nothing notifies.
    """

    outbox: Changes
    look: Callable[[OutboxEntry], Sight]
    post: Callable[[OutboxEntry], Reply]
    admit: Callable[[], None]
    clock: Clock
    settle: timedelta
    claim_lasts: timedelta = timedelta()
    unwanted: Callable[[int], str | None] | None = None
    is_silent: bool = False

    def deliver(self, entry: OutboxEntry, *, may_send: bool = True) -> OutboxEntry:
        """Send an entry as far as possible now, with at most three requests to create it.

        It is then confirmed, refused, unsure (look again after `settles_at`), or planned if the API answered each time
        that it had not created it, or if it may not be sent. Raises PipelineError for what would affect every entry:
        throttling, a missing role, no network, an answer that cannot be trusted.
        """
        if entry.state is State.SENDING:
            if entry.sent_at is not None and self.clock() - entry.sent_at < self.claim_lasts:
                return entry
            entry = self.outbox.change(entry, Doubted(_LEFT_SENDING, self.clock() + self.settle))
        refusal: str | None = None
        for sends_left in reversed(range(_SENDS_PER_RUN + 1)):
            if entry.is_final:
                break
            entry = self._looked_for(entry, refusal)
            if entry.state is not State.PLANNED or sends_left == 0 or not may_send:
                break
            self.admit()
            entry, refusal = self._sent(self.outbox.change(entry, Claimed(self.is_silent)))
        return entry

    def _looked_for(self, entry: OutboxEntry, refusal: str | None) -> OutboxEntry:
        looked_at = self.clock()
        sight = self.look(entry)
        if sight.entry_id is not None:
            return self.outbox.change(entry, Found(sight.entry_id))
        if refusal is not None:
            return self.outbox.change(entry, Rejected(refusal))
        if sight.alike_id is not None and entry.state is State.UNSURE:
            # As long as nobody has looked, neither sent again nor taken for it.
            doubt = f"entry {sight.alike_id} looks like it, without its reference; look at the invoice in Nexudus"
            return self.outbox.change(entry, Doubted(doubt, self.clock() + self.settle))
        entry = self.outbox.change(entry, Absent(looked_at))
        if self.unwanted and entry.state is State.PLANNED:
            why = _PAID if sight.is_paid else self.unwanted(entry.invoice_id)
            entry = self.outbox.change(entry, Withdrawn(why)) if why else entry
        return entry

    def _sent(self, entry: OutboxEntry) -> tuple[OutboxEntry, str | None]:
        """The entry after one request, and the reasons where the API says that it was not created."""
        try:
            reply = self.post(entry)
        except BadRequestError as error:
            return self.outbox.change(entry, Rejected(str(entry_refused(error.body)))), None
        except UncertainWriteError as error:
            return self._doubted(entry, str(error)), None
        except DoubtedRefusalError as error:
            self._doubted(entry, str(error))
            raise
        except (TryAgainLaterError, RefusedError, NotFoundError) as error:
            self.outbox.change(entry, NotSent(str(error)))
            raise
        except BaseException as error:
            self._doubted(entry, str(error) if isinstance(error, PipelineError) else _STOPPED)
            raise
        try:
            return self.outbox.change(entry, Created(created_id(reply))), None
        except UncertainWriteError as error:
            return self._doubted(entry, str(error)), None
        except EntryRefusedError as error:
            if not error.problems:
                return self._doubted(entry, str(error)), None
            # Refused with reasons, and never sent again: the result of the next look counts at once.
            return self.outbox.change(entry, Doubted(str(error), self.clock())), str(error)

    def _doubted(self, entry: OutboxEntry, why: str) -> OutboxEntry:
        return self.outbox.change(entry, Doubted(why, self.clock() + self.settle))
