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
    connection: duckdb.DuckDBPyConnection, entity: Entity, axis: Axis, until: datetime, lookback: timedelta
) -> list[Window]:
    """The minutes of an axis in which fields of landed records can have changed unseen.

    They begin when the oldest landed record was first seen: whatever happened before came with it.
    """
    ((first_seen_at,),) = connection.execute(f"select min(first_seen_at) from {entity.rows}").fetchall()  # noqa: S608
    if first_seen_at is None:
        return []
    history = Window(floor_minute(first_seen_at.astimezone(UTC) - lookback), until)
    return ledger.windows_to_pull(history, ledger.closed_windows(connection, entity, axis), lookback)
