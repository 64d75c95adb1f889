"""The follow-ups that `sql/record/escalations.sql` finds: listed, or sent to the API, up to a limit in each run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import msgspec

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.invoices import INVOICES
from pipelines.foundation.sql_files import sql_folder
from pipelines.land.invoice_access import invoice_state
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.record.delivery import Delivery, Desk, OnEntry, deliver_all, open_desk
from pipelines.record.entries import Entry, checked
from pipelines.record.invoice_now import unwanted_by
from pipelines.record.states import State, Withdrawn
from pipelines.settings import Clock, Settings, utc_now

SOURCE = "escalate"
DEFAULT_LIMIT = 50
# With older figures, invoices that have been paid meanwhile would be escalated.
_OLDEST_DATA = timedelta(hours=26)
WITHOUT_INVOICES = "The invoices themselves cannot be read, so voided, credited and part-paid ones may be among them"
_SILENT = f"{WITHOUT_INVOICES}: nothing notifies unless --notify (in Dagster `notify: true`) asks for it."
_NO_LONGER_DUE = "it was no longer due, so nothing was sent"


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up that is due: the entry to create, and the facts behind it."""

    invoice_id: int
    name: str
    description: str
    is_problem: bool
    notify: bool
    cause: str
    invoice_number: str | None
    business_id: int | None
    currency_code: str | None
    invoice_amount: Decimal | None
    failed_attempt_count: int
    last_failed_at: datetime

    @property
    def entry(self) -> Entry:
        """The entry to create."""
        return Entry(
            invoice_id=self.invoice_id,
            name=self.name,
            description=self.description,
            is_problem=self.is_problem,
            notify=self.notify,
            cause=self.cause,
            source=SOURCE,
        )


@dataclass(frozen=True)
class Due:
    """Every follow-up that is due, oldest failure first, and the instant up to which the data goes.

    `reads_invoices`: whether syncs read the invoices themselves, not only their entries.
    """

    escalations: list[Escalation]
    as_of_at: datetime | None
    reads_invoices: bool = False

    @property
    def note(self) -> str:
        """What there is to know before these are sent."""
        return "" if self.reads_invoices else _SILENT


def find_due(settings: Settings) -> Due:
    """The follow-ups that are due by the newest figures. Raises WrongUseError where there are no figures."""
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        raise WrongUseError(f"There is no warehouse at {warehouse.name} yet: run `nexudus-billing sync`.")
    with open_warehouse(settings) as connection:
        try:
            state = invoice_state(connection, settings)
            return replace(due_in(connection), reads_invoices=state.is_read)
        except duckdb.CatalogException:
            raise WrongUseError("There are no figures yet: run `nexudus-billing sync`.") from None


def due_in(connection: duckdb.DuckDBPyConnection) -> Due:
    """The same, from an open warehouse. Raises duckdb.CatalogException where the models are not built."""
    query = (sql_folder("record") / "escalations.sql").read_text(encoding="utf-8")
    found = connection.execute(query)
    columns = [column[0] for column in found.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    horizon = connection.execute("select as_of_at from model.horizon").fetchone()
    as_of_at = horizon[0].astimezone(UTC) if horizon and horizon[0] else None
    return Due([msgspec.convert(row, Escalation) for row in rows], as_of_at)


def send_due(
    settings: Settings,
    *,
    limit: int = DEFAULT_LIMIT,
    notify: bool = False,
    on_entry: OnEntry = lambda *_: None,
    clock: Clock = utc_now,
) -> Delivery:
    """Send at most `limit` of the follow-ups that are due, oldest first; withdraw what is no longer due.

    Each invoice is looked at again just before. Where that is impossible nothing notifies unless `notify` is true.
    Raises TryAgainLaterError where the figures are too old to act on, and what `record_entries` raises.
    """
    if limit < 0:
        raise WrongUseError("--limit cannot be negative.")
    with open_desk(settings, clock) as plain_desk:
        # Read while no other process can send, so the outbox is complete.
        due = find_due(settings)
        _check_age(due, plain_desk.server_now())
        desk, due = _careful(plain_desk, due, settings, notify=notify)
        _withdraw_others(desk, due.escalations)
        entries = [checked(escalation.entry) for escalation in due.escalations[:limit]]
        delivery = deliver_all(desk.sender, desk.outbox.plan(entries), on_entry)
        return replace(delivery, note=due.note)


def _careful(desk: Desk, due: Due, settings: Settings, *, notify: bool) -> tuple[Desk, Due]:
    """A desk that looks at each invoice before it sends, and whether it can."""
    unwanted = None
    if due.reads_invoices and due.escalations:
        invoices = EntitySource(desk.client, settings, INVOICES)
        probed = due.escalations[0].invoice_id
        unwanted = unwanted_by(invoices, probed, must_read=settings.invoices == "on")
        due = replace(due, reads_invoices=unwanted is not None)
    sender = replace(desk.sender, unwanted=unwanted or (lambda _: None), is_silent=not (due.reads_invoices or notify))
    return replace(desk, sender=sender), due


def _check_age(due: Due, now: datetime) -> None:
    if due.as_of_at is None or now - due.as_of_at > _OLDEST_DATA:
        when = f"{due.as_of_at:%Y-%m-%d %H:%M} UTC" if due.as_of_at else "no date"
        raise TryAgainLaterError(
            f"Nothing was sent: the figures are as of {when}, and payments may have arrived since; run "
            "`nexudus-billing sync` first."
        )


def _withdraw_others(desk: Desk, due: Sequence[Escalation]) -> None:
    """Withdraw unfinished entries of an earlier run that are no longer due, after looking whether they exist."""
    references = {escalation.entry.reference for escalation in due}
    for entry in desk.outbox.unfinished(SOURCE):
        if entry.reference in references:
            continue
        left = entry if entry.state is State.PLANNED else desk.sender.deliver(entry, may_send=False)
        if left.state is State.PLANNED:
            desk.outbox.change(left, Withdrawn(_NO_LONGER_DUE))
