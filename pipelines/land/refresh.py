"""Invoices paid or refunded since their entries were landed.

The API joins an invoice's fields when it is asked, and an entry's UpdatedOn does not move when its invoice does. So the
entries of such invoices are read again, along PaidOn and RefundedOn, with the code and the ledger of the first reading.
"""

from datetime import UTC, datetime, timedelta

import duckdb

from pipelines.extract.axes import PAID_ON, REFUNDED_ON, Axis
from pipelines.extract.windows import Window, floor_minute
from pipelines.land import ledger

REFRESH_AXES = (PAID_ON, REFUNDED_ON)


def windows_to_refresh(
    connection: duckdb.DuckDBPyConnection, axis: Axis, until: datetime, lookback: timedelta
) -> list[Window]:
    """The minutes of an axis in which invoices of landed entries can have changed unseen.

    They begin when the oldest landed entry was first seen: whatever was paid before came with it.
    """
    (first_seen_at,) = connection.execute("select min(first_seen_at) from land.coworker_invoice_histories").fetchall()[
        0
    ]
    if first_seen_at is None:
        return []
    history = Window(floor_minute(first_seen_at.astimezone(UTC) - lookback), until)
    return ledger.windows_to_pull(history, ledger.closed_windows(connection, axis), lookback)
