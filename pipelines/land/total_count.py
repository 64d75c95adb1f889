"""After each sync: whether the API counts more records in all than were ever landed, and if so, landing those.

A range that was closed on an answer with rows missing, or a business that the login has been shown only since, leaves
no trace that an incremental reading meets again. One count of everything shows it. What is gone from the API counts as
landed here, so that a deletion does not look like a miss, whether it was found yet or not.
"""

from datetime import datetime

from pipelines.extract.axes import CREATED_ON, EVERYTHING, UPDATED_ON
from pipelines.extract.windows import Window, merge
from pipelines.foundation.rows import insert_row
from pipelines.land.ledger import closed_windows
from pipelines.land.pull import Pull
from pipelines.land.reconcile import FAR_AHEAD, list_window, own_rows, worth_listing


def land_missed(pull: Pull, history: Window) -> None:
    """Count once; where that is more, read the newest minutes, and if it still is, the ranges that count differently.

    Says nothing about a history that was not read to its end. What stays unexplained, as records before the start of
    `history`, is noted and not looked for again. A miss hides from it behind a deletion since the last count;
    `reconcile` finds that one.
    """
    closed = merge(closed_windows(pull.connection, pull.entity, UPDATED_ON))
    if len(closed) != 1 or closed[0].start > history.start:
        return
    answer, noted = pull.source.search(EVERYTHING, size=1), _noted_excess(pull)
    counted_at = max(pull.believed_at(answer), pull.report.answered_at or pull.believed_at(answer))

    def excess() -> int:
        return answer.total_items - _landed_count(pull, counted_at)

    if excess() > noted:
        list_window(pull, UPDATED_ON, Window(closed[0].end, closed[0].end + FAR_AHEAD))
    for axis in (UPDATED_ON, CREATED_ON):
        if excess() > noted:
            own = own_rows(pull, axis)
            scope = Window(history.start, own.quiet_minute_before(closed[0].end))
            for window in worth_listing(pull, axis, scope, own):
                list_window(pull, axis, window)
    _note(pull, answer.total_items, excess(), counted_at)


def _landed_count(pull: Pull, counted_at: datetime) -> int:
    """Records landed that were there when the API counted.

    Those since marked as deleted, and those set aside that never read well, are among them.
    """
    (row,) = pull.connection.execute(
        f"""
        select
            (select count(*) from {pull.entity.rows} where created_on <= $counted_at or created_on is null)
            + (
                select count(distinct coalesce(id::varchar, content_hash))
                from land.rejected_records
                where entity = $entity and (id is null or id not in (select id from {pull.entity.rows}))
            )
        """,  # noqa: S608 - names of our own
        {"entity": pull.entity.name, "counted_at": counted_at},
    ).fetchall()
    return int(row[0])


def _noted_excess(pull: Pull) -> int:
    """What the last sync left unexplained; before the first one, nothing."""
    row = pull.connection.execute(
        "select excess_count from land.total_counts where entity = $entity",
        {"entity": pull.entity.name},
    ).fetchone()
    return row[0] if row else 0


def _note(pull: Pull, api_count: int, excess_count: int, counted_at: datetime) -> None:
    values = {
        "entity": pull.entity.name,
        "run_id": pull.run_id,
        "counted_at": counted_at,
        "api_count": api_count,
        "excess_count": excess_count,
    }
    with pull.writing_alone(pull.connection):
        pull.connection.execute("delete from land.total_counts where entity = $entity", {"entity": pull.entity.name})
        insert_row(pull.connection, "land.total_counts", values)
