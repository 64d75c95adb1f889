"""How the published file is opened for reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.errors import WrongUseError


@contextmanager
def open_published(analytics: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the published file. Raises WrongUseError where there is none or it is damaged."""
    if not analytics.exists():
        raise WrongUseError(f"There is no published file at {analytics} yet: run `nexudus-billing sync`.")
    try:
        connection = duckdb.connect(str(analytics), read_only=True)
    except duckdb.Error:
        raise WrongUseError(f"{analytics} cannot be read as a DuckDB file: publish it again by a sync.") from None
    try:
        yield connection
    finally:
        connection.close()
