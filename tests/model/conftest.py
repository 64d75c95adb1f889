"""A warehouse in memory, and given entries: only what a test cares about, the rest plausible."""

from collections.abc import Iterator

import duckdb
import pytest

from pipelines.sql_files import sql_folder


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse; use warehouse; set timezone = 'UTC'; create schema land")
        for ddl in sorted(sql_folder("land").glob("*.sql")):
            connection.execute(ddl.read_text(encoding="utf-8"))
        yield connection
