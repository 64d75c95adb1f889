"""Whether invoices are read, by NEXUDUS_INVOICES and by the user's role; and what to say where they are not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import duckdb
import msgspec

from pipelines.errors import IgnoredFilterError, RefusedError
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.invoices import INVOICES, WITHOUT_INVOICES
from pipelines.land.ledger import closed_windows
from pipelines.settings import Clock, Settings

# A role that is missing is rarely granted within the day, and asking costs a login each time.
_ASKED_AGAIN_AFTER = timedelta(hours=20)
_REFUSALS = {"Refused", "BadRequest", "MissingFilter", "IgnoredFilter"}


class InvoiceState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether invoices are read: by which setting, up to when they are complete, and what refused them last if so."""

    setting: str
    row_count: int
    read_until: datetime | None
    refusal: str | None

    @property
    def is_read(self) -> bool:
        """Whether syncs read them, by the last one."""
        return self.setting != "off" and self.read_until is not None and self.refusal is None

    @property
    def sentence(self) -> str:
        """The same for a person."""
        held = f"{self.row_count} held, complete until {self.read_until:%Y-%m-%d %H:%M} UTC" if self.read_until else ""
        if self.setting == "off":
            return f"not read, for NEXUDUS_INVOICES is off{held and '; '}{held}"
        if self.refusal:
            return f"not read{held and '; '}{held}"
        return held or "not read yet"

    @property
    def warning(self) -> str | None:
        """What to do about it, where there is anything."""
        if self.setting == "off" or not self.refusal:
            return None
        return f"Invoices are not read, so {WITHOUT_INVOICES}. {self.refusal} Or set NEXUDUS_INVOICES=off."


def invoice_state(connection: duckdb.DuckDBPyConnection, settings: Settings) -> InvoiceState:
    """What the warehouse knows of the reading of invoices."""
    ((row_count,),) = connection.execute(f"select count(*) from {INVOICES.rows} where deleted_at is null").fetchall()  # noqa: S608
    closed = closed_windows(connection, INVOICES, UPDATED_ON)
    refused = _last_refusal(connection)
    return InvoiceState(
        setting=settings.invoices,
        row_count=row_count,
        read_until=closed[-1].end if closed else None,
        refusal=refused[0] if refused else None,
    )


def read_if_allowed(
    settings: Settings, connection: duckdb.DuckDBPyConnection, read: Callable[[], None], clock: Clock
) -> bool:
    """Read, unless invoices are off or were refused of late. A refusal is an error only where they must be read.

    So is a filter by Id that the API ignores: what is held as open cannot be read again then.
    """
    if settings.invoices == "off":
        return False
    if settings.invoices == "auto":
        refused = _last_refusal(connection)
        if refused and clock() - refused[1] < _ASKED_AGAIN_AFTER:
            return False
    try:
        read()
    except (RefusedError, IgnoredFilterError):
        if settings.invoices == "on":
            raise
        return False
    return True


def _last_refusal(connection: duckdb.DuckDBPyConnection) -> tuple[str, datetime] | None:
    """What the newest run over invoices was refused with, and when; None where it was not."""
    row = connection.execute(
        "select outcome, started_at from land.runs where entity = $entity order by started_at desc limit 1",
        {"entity": INVOICES.name},
    ).fetchone()
    outcome, started_at = row or (None, None)
    refused, _, sentence = (outcome or "").partition("Error: ")
    return (sentence, started_at.astimezone(UTC)) if refused in _REFUSALS else None
