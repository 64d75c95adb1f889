"""How much memory DuckDB may take: what the rows at hand need to be worked on, and no cache beyond."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import duckdb

# With these a whole sync of a million entries stays below 500 MiB; what does not fit goes to disk for a moment.
JOINING = 160 * 2**20
COPYING = 96 * 2**20
_ENTRIES_IN_THE_LEAST = 1_000_000
# Measured at ten million: with less, joins of the longest tables spill and take twice as long; more makes none faster.
_BYTES_A_FURTHER_ENTRY = 200

T = TypeVar("T")


def with_memory_limit(
    connection: duckdb.DuckDBPyConnection, entry_count: int, work: Callable[[], T], *, least_bytes: int
) -> T:
    """What `work` returns, done in as much memory as that number of entries needs: `least_bytes` up to a million.

    Where that does not do, the work is done again with twice as much, and then, as with very long texts, with all that
    DuckDB would take by itself; so it must be one that can be done again.
    """
    ((before, allowed),) = connection.execute(
        "select current_setting('memory_limit'), parse_formatted_bytes(current_setting('memory_limit'))"
    ).fetchall()
    wanted = least_bytes + _BYTES_A_FURTHER_ENTRY * max(0, entry_count - _ENTRIES_IN_THE_LEAST)
    try:
        for some in (wanted, 2 * wanted):
            with suppress(duckdb.OutOfMemoryException):
                connection.execute(f"set memory_limit = '{min(some, allowed)}B'")
                return work()
        connection.execute(f"set memory_limit = '{before}'")
        return work()
    finally:
        with suppress(duckdb.Error):  # after a full disk nothing can be set, and the reason matters more
            connection.execute(f"set memory_limit = '{before}'")
