"""A DuckDB file written anew: what was deleted stays in its free blocks until something else is written there."""

from pathlib import Path

import duckdb

from pipelines.foundation.duckdb_errors import quoted
from pipelines.foundation.private_files import written_aside


def rewrite(connection: duckdb.DuckDBPyConnection, database: str, file: Path, options: str = "type duckdb") -> None:
    """Copy an attached database, of which nothing waits in its log, into a new file, and swap that in.

    A process that waits for the file opens the new one; the connection has the old one until it is detached.
    """
    with written_aside(file) as building:
        try:
            connection.execute(f"attach {quoted(str(building))} as rewritten ({options})")
            connection.execute(f"copy from database {database} to rewritten; checkpoint rewritten; detach rewritten")
        finally:
            Path(f"{building}.wal").unlink(missing_ok=True)
