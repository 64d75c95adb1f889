"""A warehouse that is gone with its connection."""

import duckdb

from pipelines.land.warehouse import create_tables


def memory_warehouse() -> duckdb.DuckDBPyConnection:
    """Landing tables in memory; times are shown in UTC."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    create_tables(connection)
    return connection
