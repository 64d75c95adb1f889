"""Changes that happen wholly or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of it or nothing."""
    try:
        connection.execute("begin")
        yield
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # after a full disk there is no transaction left, and the reason matters more
            connection.execute("rollback")
        raise
