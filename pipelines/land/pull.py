"""Windows of an axis from the API into the warehouse: one transaction an answer, rows and ledger together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb

from pipelines.extract.seek import UPDATED_ON, Axis, Dialect, Source, Step, first_instant, seek
from pipelines.extract.windows import Window, floor_minute
from pipelines.land import ledger
from pipelines.land.merge import RowCounts, land_page
from pipelines.land.warehouse import transaction


@dataclass
class PullReport:
    """What a pull did so far: rows by outcome, answers landed, minutes that had to stay open."""

    windows: list[Window] = field(default_factory=list)
    rows: RowCounts = field(default_factory=RowCounts)
    answer_count: int = 0
    remaining_count: int = 0
    open_minutes: list[datetime] = field(default_factory=list)


OnStep = Callable[[PullReport], None]


def pull(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    axis: Axis,
    windows: Iterable[Window],
    *,
    page_size: int,
    run_id: str,
    on_step: OnStep = lambda _: None,
) -> PullReport:
    """Read the windows, one after the other, and land each answer as it comes.

    Killed at any instant, what was landed stays and what was not is still a gap. Raises what `seek` and the client
    raise; everything landed before stays true.
    """
    dialect = Dialect(page_size)
    report = PullReport(list(windows))
    for window in report.windows:
        seam = ledger.seam_of(connection, axis, _known_part(connection, axis, window))
        for step in seek(source, axis, window, dialect, seam):
            _land(connection, axis, step, run_id, report)
            on_step(report)
    report.open_minutes = dialect.open_minutes
    return report


def close_before_first_entry(
    connection: duckdb.DuckDBPyConnection, source: Source, history: Window, *, page_size: int, run_id: str
) -> None:
    """Close the empty years before the first entry, by one request, where nothing in `history` is closed yet.

    Without it a first sync would touch every month since NEXUDUS_HISTORY_START.
    """
    closed = ledger.closed_windows(connection, UPDATED_ON)
    before = Window(history.start, min(closed[0].start, history.end) if closed else history.end)
    if before.is_empty:
        return
    answer, first = first_instant(source, UPDATED_ON, before, Dialect(page_size))
    empty = Window(before.start, floor_minute(first) if first else before.start)
    with transaction(connection):
        ledger.close(
            connection, UPDATED_ON, empty, run_id=run_id, row_count=0, request_count=1, closed_at=answer.answered_at
        )


def planned_windows(
    connection: duckdb.DuckDBPyConnection, axis: Axis, history: Window, *, lookback: timedelta, page_size: int
) -> list[Window]:
    """What a sync of `history` has to pull now, by the ledger and the lookback."""
    newest = ledger.newest_row_at(connection, axis, page_size)
    return ledger.windows_to_pull(history, ledger.closed_windows(connection, axis), lookback, newest)


def _known_part(connection: duckdb.DuckDBPyConnection, axis: Axis, window: Window) -> Window:
    """The beginning of a window that the ledger holds as closed already."""
    overlaps = (closed.meet(window) for closed in ledger.closed_windows(connection, axis))
    return next(
        (known for known in overlaps if known.start == window.start and not known.is_empty),
        Window(window.start, window.start),
    )


def _land(connection: duckdb.DuckDBPyConnection, axis: Axis, step: Step, run_id: str, report: PullReport) -> None:
    answer = step.answer
    with transaction(connection):
        report.rows += land_page(connection, answer.records, answer.rejected, answer.answered_at)
        if step.closed:
            ledger.close(
                connection,
                axis,
                step.closed,
                run_id=run_id,
                row_count=answer.record_count,
                request_count=1,
                closed_at=answer.answered_at,
            )
    report.answer_count += 1
    report.remaining_count = answer.total_items - answer.record_count
