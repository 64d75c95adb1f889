"""Records whose joined fields have changed since they were landed.

The API joins an invoice's fields to its history entries when it is asked, and an entry's UpdatedOn does not move when
its invoice does. So the entries of such invoices are read again, along the entity's further axes (PaidOn, RefundedOn),
with the code and the ledger of the first reading.
"""

from datetime import UTC, datetime, timedelta

import duckdb

from pipelines.extract.axes import Axis
from pipelines.extract.entity import Entity
from pipelines.extract.windows import Window, floor_minute
from pipelines.land import ledger


def windows_to_refresh(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    axis: Axis,
    until: datetime,
    lookback: timedelta,
    *,
    page_size: int = 1000,
) -> list[Window]:
    """The minutes of an axis in which fields of landed records can have changed unseen.

    They begin when the oldest landed record was first seen, for whatever happened before came with it; or at the newest
    record, should our clock have been ahead. The second look begins at the newest change that is known, for a clock
    that was ahead may have closed what came after it.
    """
    query = f"select least(min(first_seen_at) - $lookback, max(updated_on)) from {entity.rows}"  # noqa: S608
    ((start,),) = connection.execute(query, {"lookback": lookback}).fetchall()
    if start is None:
        return []
    history = Window(floor_minute(start.astimezone(UTC)), until)
    newest = ledger.newest_row_at(connection, entity, axis, page_size)
    return ledger.windows_to_pull(history, ledger.closed_windows(connection, entity, axis), lookback, newest)
