"""The outbox: which entries were planned, sent, confirmed. Each change is a transaction; one process sends at a time.

The warehouse is opened only for the moment of a change, so that a sync or `status` can use it in between. A lock on a
file beside the warehouse keeps two senders apart. The operating system releases it when its holder dies, so an entry
found `sending` under the lock was left by a process that has ended. Machines that share a lake share no such lock:
there a claim is valid for hours (see `Sender.claim_lasts`), and of two claims one fails.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import duckdb
import msgspec
from filelock import FileLock, Timeout

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.private_files import PRIVATE, make_private_folder
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.record.entries import Entry
from pipelines.record.states import Event, OutboxEntry, PlannedAgain, State, after
from pipelines.settings import Clock, Settings

# A sync may hold the warehouse for long, and what was sent must still be written down.
_PATIENCE_SECONDS = 900.0
_WAIT_FOR_SENDER_SECONDS = 60.0
_COLUMNS = OutboxEntry.__struct_fields__


class Outbox:
    """The table `record.outbox` of the warehouse."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def plan(self, entries: Sequence[Entry], *, again: bool = False) -> list[OutboxEntry]:
        """The rows of these entries, in their order; created where the reference is new.

        A known reference keeps its row and text, whatever its state. `again`: a refused one is planned again.
        """
        now = self._clock()
        with open_warehouse(self._settings) as connection, warehouse_of(self._settings).writing_alone(connection):
            known = read(connection, [entry.reference for entry in entries])
            new = {entry.reference: planned(entry, now) for entry in entries if entry.reference not in known}
            _insert(connection, list(new.values()))
            for entry in known.values():
                if again and entry.state is State.REFUSED:
                    known[entry.reference] = _store(connection, entry, after(entry, PlannedAgain(), now))
        rows = known | new
        return [rows[entry.reference] for entry in entries]

    def change(self, entry: OutboxEntry, event: Event) -> OutboxEntry:
        """Store the entry after an event, and return it. Raises TryAgainLaterError if another process changed it."""
        changed = after(entry, event, self._clock())
        if changed is not entry:
            opened = open_warehouse(self._settings, wait_seconds=_PATIENCE_SECONDS)
            with opened as connection, warehouse_of(self._settings).writing_alone(connection):
                _store(connection, entry, changed)
        return changed

    def unfinished(self, source: str) -> list[OutboxEntry]:
        """The entries of a command that are planned, sending or unsure."""
        with open_warehouse(self._settings) as connection:
            rows = _select(connection, "source = $source and state in ('planned', 'sending', 'unsure')", source=source)
        return sorted(rows, key=lambda entry: (entry.planned_at, entry.reference))


@contextmanager
def sending_alone(settings: Settings, wait_seconds: float = _WAIT_FOR_SENDER_SECONDS) -> Iterator[None]:
    """Lock the outbox: one sender at a time. Raises TryAgainLaterError if another does not end in time."""
    path = warehouse_of(settings).senders_lock
    make_private_folder(path.parent)
    lock = FileLock(path, timeout=wait_seconds, mode=PRIVATE)
    try:
        lock.acquire()
    except Timeout:
        raise TryAgainLaterError(
            "Another nexudus-billing process is creating entries: run the same command again when it has ended."
        ) from None
    except OSError as error:
        raise WrongUseError(f"{path} cannot be written ({error.strerror}): check the folder's permissions.") from None
    try:
        yield
    finally:
        lock.release()


def look_up(settings: Settings, references: Sequence[str]) -> dict[str, OutboxEntry]:
    """The rows of these references that exist; creates nothing."""
    if not warehouse_of(settings).exists():
        return {}
    with open_warehouse(settings, read_only=True, wait_seconds=5) as connection:
        try:
            return read(connection, references)
        except duckdb.CatalogException:  # made by a version without an outbox
            return {}


def read(connection: duckdb.DuckDBPyConnection, references: Sequence[str]) -> dict[str, OutboxEntry]:
    """The rows of these references that exist, by reference."""
    rows = _select(connection, "reference in (select unnest($references))", references=list(references))
    return {row.reference: row for row in rows}


def _select(connection: duckdb.DuckDBPyConnection, condition: str, **values: object) -> list[OutboxEntry]:
    found = connection.execute(f"select {', '.join(_COLUMNS)} from record.outbox where {condition}", values)  # noqa: S608 - our own words
    return [_row(dict(zip(_COLUMNS, row, strict=True))) for row in found.fetchall()]


def _row(values: Mapping[str, Any]) -> OutboxEntry:
    utc = {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in values.items()}
    return msgspec.convert(utc, OutboxEntry)


def planned(entry: Entry, now: datetime) -> OutboxEntry:
    """The row of an entry that has not been sent yet."""
    return OutboxEntry(
        reference=entry.reference,
        source=entry.source,
        cause=entry.cause,
        invoice_id=entry.invoice_id,
        name=entry.name,
        description=entry.text,
        is_problem=entry.is_problem,
        notify=entry.notify,
        state=State.PLANNED,
        attempt_count=0,
        entry_id=None,
        detail=None,
        planned_at=now,
        sent_at=None,
        settles_at=None,
        changed_at=now,
    )


def _insert(connection: duckdb.DuckDBPyConnection, entries: Sequence[OutboxEntry]) -> None:
    if not entries:
        return
    columns = {name: [_plain(getattr(entry, name)) for entry in entries] for name in _COLUMNS}
    fields = ", ".join(f"unnest(${name}) as {name}" for name in _COLUMNS)
    connection.execute(f"insert into record.outbox by name select {fields}", columns)


def _store(connection: duckdb.DuckDBPyConnection, before: OutboxEntry, changed: OutboxEntry) -> OutboxEntry:
    """Replace a row if it has not changed meanwhile, so that of two claims one fails."""
    names = ("state", "notify", "attempt_count", "entry_id", "detail", "sent_at", "settles_at", "changed_at")
    values = {name: _plain(getattr(changed, name)) for name in names}
    count = connection.execute(
        f"update record.outbox set {', '.join(f'{name} = ${name}' for name in names)}"  # noqa: S608 - our own words
        " where reference = $reference and state = $state_before and changed_at = $changed_before",
        values
        | {"reference": before.reference, "state_before": before.state.value, "changed_before": before.changed_at},
    ).fetchone()
    if count != (1,):
        raise TryAgainLaterError(
            f"Another process has changed the entry {before.reference} in the meantime: run the same command again."
        )
    return changed


def _plain(value: object) -> object:
    return value.value if isinstance(value, State) else value
