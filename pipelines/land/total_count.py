"""After each sync: whether the API counts more records in all than were ever landed, and if so, landing those.

A range that was closed on an answer with rows missing, or a business that the login has been shown only since, leaves
no trace that an incremental reading meets again. One count of everything shows it. What is gone from the API counts as
landed here, so that a deletion does not look like a miss, whether it was found yet or not.
"""

from pipelines.extract.axes import CREATED_ON, EVERYTHING, UPDATED_ON, Filters
from pipelines.extract.windows import Window, merge
from pipelines.land.ledger import closed_windows
from pipelines.land.pull import Pull
from pipelines.land.reconcile import list_window, own_rows, worth_listing


def land_missed(pull: Pull, history: Window) -> None:
    """Count once, twice if records came in the newest minutes; list the ranges that count differently if that is more.

    Says nothing about a history that was not read to its end. What stays unexplained, as records before the start of
    `history`, is noted and not looked for again. A miss hides from it behind a deletion since the last count;
    `reconcile` finds that one.
    """
    closed = merge(closed_windows(pull.connection, pull.entity, UPDATED_ON))
    if len(closed) != 1 or closed[0].start > history.start:
        return
    api_count, newest_count = _count(pull, EVERYTHING), 0
    noted = _noted_excess(pull)
    landed_count = _landed_count(pull)
    if api_count - landed_count > noted:
        newest_count = _count(pull, Filters(CREATED_ON, start=closed[0].end))
    for axis in (UPDATED_ON, CREATED_ON):
        if api_count - newest_count - landed_count > noted:
            own = own_rows(pull, axis)
            for window in worth_listing(pull, axis, Window(history.start, own.quiet_minute_before(closed[0].end)), own):
                list_window(pull, axis, window)
            landed_count = _landed_count(pull)
    _note(pull, api_count, landed_count, newest_count)


def _count(pull: Pull, filters: Filters) -> int:
    return pull.source.search(filters, size=1).total_items


def _landed_count(pull: Pull) -> int:
    """Records that came at some time: those marked as deleted, and those set aside that never read well, included."""
    (row,) = pull.connection.execute(
        f"""
        select
            (select count(*) from {pull.entity.rows})
            + (
                select count(distinct coalesce(id::varchar, content_hash))
                from land.rejected_records
                where entity = $entity and (id is null or id not in (select id from {pull.entity.rows}))
            )
        """,  # noqa: S608 - names of our own
        {"entity": pull.entity.name},
    ).fetchall()
    return int(row[0])


def _noted_excess(pull: Pull) -> int:
    """What the last sync left unexplained; before the first one, nothing."""
    row = pull.connection.execute(
        "select excess_count from land.total_counts where entity = $entity",
        {"entity": pull.entity.name},
    ).fetchone()
    return row[0] if row else 0


def _note(pull: Pull, api_count: int, landed_count: int, newest_count: int) -> None:
    values = {
        "entity": pull.entity.name,
        "run_id": pull.run_id,
        "counted_at": pull.report.answered_at,
        "api_count": api_count,
        "landed_count": landed_count,
        "newest_count": newest_count,
        "excess_count": api_count - newest_count - landed_count,
    }
    columns = ", ".join(f"${name} as {name}" for name in values)
    with pull.writing_alone(pull.connection):
        pull.connection.execute("delete from land.total_counts where entity = $entity", {"entity": pull.entity.name})
        pull.connection.execute(f"insert into land.total_counts by name select {columns}", values)
