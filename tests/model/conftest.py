"""An empty warehouse, for given entries: only what a test cares about, the rest plausible."""

from collections.abc import Iterator

import duckdb
import pytest
from tested_warehouse import empty_warehouse


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as connection:
        yield connection
