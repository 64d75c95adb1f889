"""The month with the first history entry, kept beside the warehouse so that Dagster can know it without opening that.

The partitions begin with it: the years before, in which the account had no entries, are closed in the ledger by one
request, and as partitions they would be events to store at each first sync, and noise on every page.
"""

from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

from pipelines.settings import Settings


def first_month(settings: Settings) -> date:
    """First day of the month of the first entry, where a sync has found it; else of the month of NEXUDUS_HISTORY_START.

    What was found for a later start of history is not believed for an earlier one.
    """
    start = settings.history_start
    with suppress(OSError, ValueError):
        looked_from, found = map(date.fromisoformat, _file(settings).read_text(encoding="utf-8").split())
        if looked_from <= start:
            start = max(start, found)
    return start.replace(day=1)


def remember_first_month(settings: Settings, first_entry_at: datetime) -> None:
    """Keep what a sync has found."""
    _file(settings).write_text(f"{settings.history_start} {first_entry_at.date()}\n", encoding="utf-8")


def _file(settings: Settings) -> Path:
    return settings.data_dir / "first_month"
