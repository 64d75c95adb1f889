"""A row into a table, by the names of its columns."""

from collections.abc import Mapping

import duckdb


def insert_row(connection: duckdb.DuckDBPyConnection, table: str, values: Mapping[str, object]) -> None:
    """Insert one row; columns that are not named become null."""
    columns = ", ".join(f"${name} as {name}" for name in values)
    connection.execute(f"insert into {table} by name select {columns}", dict(values))
