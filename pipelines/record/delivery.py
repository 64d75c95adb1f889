"""Sends many entries in one run, until all are done or something happens that would stop every one of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import sleep

from pipelines.errors import PipelineError, TryAgainLaterError, WrongUseError
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import CREATE_ROLE, HISTORIES
from pipelines.extract.pacing import Limit, OwnLedger, Pacer, SharedLedger
from pipelines.land.account import require_address, require_same
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.record.entries import Entry
from pipelines.record.outbox import Outbox, sending_alone
from pipelines.record.reading_back import look
from pipelines.record.sending import Changes, Sender
from pipelines.record.states import Event, OutboxEntry, State, Withdrawn
from pipelines.settings import Clock, Settings, utc_now

# This many in a row are no coincidence: stop rather than leave every entry unconfirmed.
_UNCLEAR_TO_STOP_AT = 5
_DAY_SECONDS = 86_400.0
# A request waits for its pace and for throttling, at most six times five minutes; this is several times that.
_LAKE_CLAIM = timedelta(hours=4)

OnEntry = Callable[[int, int], None]
"""Called with the number of entries done, and of how many."""


@dataclass(frozen=True)
class Delivery:
    """The entries after a run, in the order given, and the error that stopped it early, if any.

    `known` are the references that were confirmed before the run, `withdrawn` those found to be no longer needed.
    `note` says what else there is to know.
    """

    entries: list[OutboxEntry]
    known: frozenset[str]
    withdrawn: frozenset[str]
    stopped_by: PipelineError | None
    note: str = ""

    def count(self, state: State) -> int:
        """Entries in a state."""
        return sum(entry.state is state for entry in self.entries)

    @property
    def summary(self) -> str:
        """The counts in words, for instance '3 created, 1 refused'."""
        counts = {
            "created": self.count(State.CONFIRMED) - len(self.known),
            "recorded before": len(self.known),
            "withdrawn": len(self.withdrawn),
            "refused": self.count(State.REFUSED) - len(self.withdrawn),
            "unconfirmed": self.count(State.UNSURE) + self.count(State.SENDING),
            "not sent yet": self.count(State.PLANNED),
        }
        return ", ".join(f"{count} {words}" for words, count in counts.items() if count) or "nothing to do"

    @property
    def problem(self) -> PipelineError | None:
        """The error to raise, which says what to do; None where every entry is in Nexudus."""
        if self.stopped_by is not None:
            return self.stopped_by
        settling = [entry.settles_at for entry in self.entries if entry.state is State.UNSURE and entry.settles_at]
        if settling:
            return TryAgainLaterError(
                f"It is not known yet whether the API has created {len(settling)} of {len(self.entries)} entries: run "
                f"the same command again after {max(settling):%Y-%m-%d %H:%M:%S} UTC; it looks first, and sends only "
                "what does not exist."
            )
        if sending := [entry for entry in self.entries if entry.state is State.SENDING]:
            return TryAgainLaterError(
                f"{len(sending)} of {len(self.entries)} entries are being sent by another process, or were when it "
                f"ended: run the same command again; after {_LAKE_CLAIM // timedelta(hours=1)} hours it takes over."
            )
        if left := [entry for entry in self.entries if not entry.is_final]:
            return TryAgainLaterError(
                f"The API has not created {len(left)} of {len(self.entries)} entries ({left[0].detail}): run the same "
                "command again later."
            )
        if refused := [
            one for one in self.entries if one.state is State.REFUSED and one.reference not in self.withdrawn
        ]:
            return WrongUseError(
                f"{len(refused)} of {len(self.entries)} entries were refused; the first, on invoice "
                f"{refused[0].invoice_id}: {refused[0].detail}"
            )
        return None


def record_entries(
    settings: Settings, entries: Sequence[Entry], *, on_entry: OnEntry = lambda *_: None, clock: Clock = utc_now
) -> Delivery:
    """Create these entries, each once however often this is called; one that was refused before is tried again.

    Raises WrongUseError without a login, TryAgainLaterError while another process creates entries or holds the
    warehouse; whatever happens after that is in the Delivery.
    """
    with open_desk(settings, clock) as desk:
        return deliver_all(desk.sender, desk.outbox.plan(entries, again=True), on_entry)


@dataclass(frozen=True)
class Desk:
    """What sending needs: the outbox, locked against other senders; a sender of its entries; the API and its clock."""

    outbox: Outbox
    sender: Sender
    client: NexudusClient
    server_now: Clock


@contextmanager
def open_desk(settings: Settings, clock: Clock) -> Iterator[Desk]:
    """A desk, once no other process has one. Raises TryAgainLaterError if another keeps it too long, WrongUseError."""
    with NexudusClient(settings) as client, sending_alone(settings), _writes_per_day(settings, clock) as pacer:
        histories = EntitySource(client, settings, HISTORIES)
        with open_warehouse(settings) as connection:
            with warehouse_of(settings).writing_alone(connection):
                require_address(connection, settings.base_url, clock())
            require_same(connection, histories)
        outbox = Outbox(settings, clock)
        sender = Sender(
            outbox,
            look=lambda entry: look(
                histories, entry, entry.sent_at and entry.sent_at + (client.server_now(HISTORIES.path) - clock())
            ),
            post=lambda entry: client.post(HISTORIES.path, entry.body, role=CREATE_ROLE),
            admit=pacer.admit,
            clock=clock,
            settle=timedelta(minutes=settings.settle_minutes),
            claim_lasts=_LAKE_CLAIM if warehouse_of(settings).is_shared else timedelta(),
        )
        yield Desk(outbox, sender, client, lambda: client.server_now(HISTORIES.path))


def deliver_all(sender: Sender, entries: Sequence[OutboxEntry], on_entry: OnEntry) -> Delivery:
    """Send each entry as far as possible now."""
    watched = _Watched(sender.outbox, {entry.reference: entry for entry in entries})
    known = frozenset(entry.reference for entry in entries if entry.state is State.CONFIRMED)
    stopped_by: PipelineError | None = None
    try:
        _deliver_each(replace(sender, outbox=watched), watched.rows, on_entry)
    except PipelineError as error:
        stopped_by = error
    except KeyboardInterrupt:
        stopped_by = TryAgainLaterError("Stopped: run the same command again to continue; nothing is sent twice.")
    return Delivery(list(watched.rows.values()), known, frozenset(watched.withdrawn), stopped_by)


def _deliver_each(sender: Sender, rows: dict[str, OutboxEntry], on_entry: OnEntry) -> None:
    unclear = 0
    for done, (reference, before) in enumerate(list(rows.items()), 1):
        row = sender.deliver(before)
        on_entry(done, len(rows))
        if row.attempt_count > before.attempt_count:
            unclear = 0 if row.is_final else unclear + 1
        if unclear == _UNCLEAR_TO_STOP_AT:
            raise TryAgainLaterError(
                f"Stopped, because {unclear} entries in a row got no reliable answer (the last: "
                f"{rows[reference].detail}): run the same command again later; it looks for them first."
            )
    for row in [row for row in rows.values() if row.settles_at is not None and row.settles_at <= sender.clock()]:
        sender.deliver(row)


@dataclass(frozen=True)
class _Watched:
    """An outbox that keeps the newest rows available when an error ends a run early."""

    outbox: Changes
    rows: dict[str, OutboxEntry]
    withdrawn: set[str] = field(default_factory=set)

    def change(self, entry: OutboxEntry, event: Event) -> OutboxEntry:
        self.rows[entry.reference] = changed = self.outbox.change(entry, event)
        if isinstance(event, Withdrawn):
            self.withdrawn.add(entry.reference)
        return changed


@contextmanager
def _writes_per_day(settings: Settings, clock: Clock) -> Iterator[Pacer]:
    """The limit of writes a day, shared by all processes of the data directory."""
    limit = Limit(settings.writes_per_day, _DAY_SECONDS, "NEXUDUS_WRITES_PER_DAY is used up")
    ledger = SharedLedger(settings.data_dir / "write_pace.sqlite", [limit]) if limit.count else OwnLedger()
    with closing(Pacer(ledger, clock=clock, sleep=sleep)) as pacer:
        yield pacer
