"""The ledger `land.windows`: which minutes of an entity's axes were read completely, and so what is still to pull."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import duckdb

from pipelines.extract.axes import UPDATED_ON, Axis
from pipelines.extract.entity import Entity
from pipelines.extract.seam import SEAM_ROWS, KnownRow
from pipelines.extract.windows import Window, floor_minute, gaps, merge
from pipelines.foundation.rows import insert_row


def close(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    axis: Axis,
    window: Window,
    *,
    run_id: str,
    row_count: int,
    request_count: int,
    closed_at: datetime,
) -> None:
    """Note that a window is complete. Windows of one run that touch become one row, so the ledger stays small."""
    if window.is_empty:
        return
    new = {
        "entity": entity.name,
        "axis": axis.name,
        "from_at": window.start,
        "to_at": window.end,
        "row_count": row_count,
        "request_count": request_count,
        "run_id": run_id,
        "closed_at": closed_at,
    }
    extended = connection.execute(
        """
        update land.windows
        set
            to_at = $to_at,
            row_count = row_count + $row_count,
            request_count = request_count + $request_count,
            closed_at = $closed_at
        where entity = $entity and axis = $axis and run_id = $run_id and to_at = $from_at
        """,
        new,
    ).fetchone()
    if extended == (0,):
        insert_row(connection, "land.windows", new)


def reopen(connection: duckdb.DuckDBPyConnection, entity: Entity, axis: Axis, run_ids: Iterable[str]) -> None:
    """Take back what these runs closed on an axis: what they landed stays true, but may not be all there is."""
    connection.execute(
        "delete from land.windows where entity = $entity and axis = $axis and run_id in (select unnest($run_ids))",
        {"entity": entity.name, "axis": axis.name, "run_ids": list(run_ids)},
    )


def closed_windows(connection: duckdb.DuckDBPyConnection, entity: Entity, axis: Axis) -> list[Window]:
    """The closed minutes of an axis, merged and in order."""
    rows = connection.execute(
        "select from_at, to_at from land.windows where entity = $entity and axis = $axis",
        {"entity": entity.name, "axis": axis.name},
    ).fetchall()
    return merge(Window(start.astimezone(UTC), end.astimezone(UTC)) for start, end in rows)


def windows_to_pull(
    history: Window, closed: Iterable[Window], lookback: timedelta, newest_row_at: datetime | None = None
) -> list[Window]:
    """What `history` lacks, plus a second look at its newest minutes.

    The second look begins `lookback` before the end of what is closed, or at the newest row if that is earlier: a
    known row at the start of the question shows that the filter leaves nothing out.
    """
    done = merge(closed)
    wanted = gaps([history], done)
    if done:
        again_from = floor_minute(min(done[-1].end - lookback, newest_row_at or done[-1].end))
        wanted = merge([*wanted, Window(again_from, history.end).meet(history)])
    return wanted


def is_placed(axis: Axis) -> str:
    """The SQL condition for rows that a range filter on the axis can find: not those whose UpdatedOn is null."""
    return "has_updated_on is not false" if axis is UPDATED_ON else "true"


def newest_row_at(connection: duckdb.DuckDBPyConnection, entity: Entity, axis: Axis, page_size: int) -> datetime | None:
    """Instant of the newest landed row on an axis; None where there is none or its minute would fill half a page."""
    row = connection.execute(
        f"""
        with newest as (
            select max({axis.column}) as newest_at
            from {entity.rows}
            where deleted_at is null and {is_placed(axis)}
        )

        select
            any_value(newest.newest_at),
            count(*) as in_its_minute
        from {entity.rows} as landed
        inner join newest on landed.{axis.column} >= date_trunc('minute', newest.newest_at)
        """  # noqa: S608 - names of our own
    ).fetchone()
    if row is None or row[0] is None or row[1] * 2 > page_size:
        return None
    newest: datetime = row[0].astimezone(UTC)
    return newest


def seam_of(connection: duckdb.DuckDBPyConnection, entity: Entity, axis: Axis, window: Window) -> tuple[KnownRow, ...]:
    """Landed rows in the closed beginning of a window: they must come back when it is asked for again."""
    rows = connection.execute(
        f"""
        select id, {entity.lookup.column}, {axis.column}
        from {entity.rows}
        where {axis.column} >= $start and {axis.column} < $end and deleted_at is null and {is_placed(axis)}
        order by {axis.column}
        limit {SEAM_ROWS}
        """,  # noqa: S608 - names of our own
        {"start": window.start, "end": window.end},
    ).fetchall()
    return tuple(KnownRow(record_id, key, at.astimezone(UTC)) for record_id, key, at in rows)


def ids_in(
    connection: duckdb.DuckDBPyConnection, entity: Entity, axis: Axis, closed: Window, window: Window
) -> list[int] | None:
    """The Ids landed in a window, ascending; None where the closed minutes do not hold all of it."""
    if window.meet(closed) != window:
        return None
    rows = connection.execute(
        f"""
        select id
        from {entity.rows}
        where {axis.column} >= $start and {axis.column} < $end and deleted_at is null and {is_placed(axis)}
        order by id
        """,  # noqa: S608 - names of our own
        {"start": window.start, "end": window.end},
    ).fetchall()
    return [record_id for (record_id,) in rows]
