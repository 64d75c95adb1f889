"""What the warehouse holds and lacks, in values that a person or a machine can read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import msgspec

from pipelines.extract.seek import UPDATED_ON
from pipelines.extract.windows import Window, gaps, merge
from pipelines.land import ledger

_STALE_AFTER = timedelta(hours=36)


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage of the history on the UpdatedOn axis, freshness, rows, the last run, and what deserves a look.

    Instants are UTC. `covered_until` is the end of what is closed without a gap from its beginning; `gaps` are the
    [from, to) pairs between the start of the history and the newest closed minute.
    """

    history_start: datetime
    covered_from: datetime | None
    covered_until: datetime | None
    gaps: list[tuple[datetime, datetime]]
    row_count: int
    deleted_count: int
    rejected_count: int
    newest_row_at: datetime | None
    last_run_id: str | None
    last_run_at: datetime | None
    published_at: datetime | None
    warnings: list[str]


def read_status(
    connection: duckdb.DuckDBPyConnection, history_start: datetime, published_at: datetime | None, now: datetime
) -> Status:
    """The state of the warehouse that is the connection's current database, as of `now`."""
    closed = ledger.closed_windows(connection, UPDATED_ON)
    known = Window(history_start, closed[-1].end) if closed else None
    missing = gaps([known], closed) if known else []
    live, deleted, newest = _one(
        connection,
        "select count(*) filter (where deleted_at is null), count(deleted_at), max(updated_on) "
        "from land.coworker_invoice_histories",
    )
    (rejected,) = _one(connection, "select count(*) from land.rejected_records")
    last_run = connection.execute(
        "select run_id, closed_at from land.windows order by closed_at desc limit 1"
    ).fetchone()
    covered = merge(closed)[0] if closed else None
    return Status(
        history_start=history_start,
        covered_from=covered.start if covered else None,
        covered_until=covered.end if covered else None,
        gaps=[(gap.start, gap.end) for gap in missing],
        row_count=live,
        deleted_count=deleted,
        rejected_count=rejected,
        newest_row_at=newest.astimezone(UTC) if newest else None,
        last_run_id=last_run[0] if last_run else None,
        last_run_at=last_run[1].astimezone(UTC) if last_run else None,
        published_at=published_at,
        warnings=_warnings(closed, missing, rejected, published_at, now),
    )


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return connection.execute(query).fetchall()[0]


def _warnings(
    closed: list[Window], missing: list[Window], rejected: int, published_at: datetime | None, now: datetime
) -> list[str]:
    warnings = []
    if not closed:
        warnings.append("Nothing has been pulled yet: run `nexudus-billing sync`.")
    elif now - closed[-1].end > _STALE_AFTER:
        warnings.append(f"The newest data is of {closed[-1].end:%Y-%m-%d %H:%M} UTC: run `nexudus-billing sync`.")
    if missing:
        warnings.append(f"{len(missing)} ranges are not pulled yet: the next `nexudus-billing sync` pulls them.")
    if rejected:
        warnings.append(f"{rejected} records broke the API's contract: see land.rejected_records in the warehouse.")
    if closed and published_at is None:
        warnings.append("Nothing is published yet: run `nexudus-billing sync`.")
    return warnings
