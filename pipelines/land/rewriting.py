"""A DuckDB file written anew: what was deleted stays in its free blocks until something else is written there."""

import os
from pathlib import Path

import duckdb

from pipelines.foundation.duckdb_errors import quoted
from pipelines.foundation.private_files import PRIVATE, settle, sync_to_disk


def rewrite(connection: duckdb.DuckDBPyConnection, database: str, file: Path, options: str = "type duckdb") -> None:
    """Copy an attached database, of which nothing waits in its log, into a new file, and swap that in.

    A process that waits for the file opens the new one; the connection has the old one until it is detached.
    """
    building = file.with_name(f".{file.name}.{os.getpid()}.building")
    try:
        connection.execute(f"attach {quoted(str(building))} as rewritten ({options})")
        building.chmod(PRIVATE)
        connection.execute(f"copy from database {database} to rewritten; checkpoint rewritten; detach rewritten")
        settle(building)
        building.replace(file)
        sync_to_disk(file.parent)
    finally:
        for left in (building, Path(f"{building}.wal")):
            left.unlink(missing_ok=True)
