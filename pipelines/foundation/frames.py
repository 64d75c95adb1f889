"""Polars frames where DuckDB can read them, without pyarrow."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb
import polars as pl

INSTANT = pl.Datetime("us", "UTC")
FRAME_TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "bigint": pl.Int64,
    "double": pl.Float64,
    "varchar": pl.String,
    "boolean": pl.Boolean,
    "timestamptz": INSTANT,
    "decimal(18, 4)": pl.Decimal(18, 4),
    "json": pl.String,
}
"""SQL type → that of a frame's column."""


class ArrowStream:
    """A frame as DuckDB takes it: through Arrow's C stream and nothing else."""

    def __init__(self, frame: pl.DataFrame) -> None:
        # Without rows polars names addresses where no buffer is, and Arrow complains on stderr of their alignment; the
        # head of a row has buffers.
        self._frame = frame if frame.height else frame.clear(1).head(0)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's protocol for handing over a table."""
        return self._frame.__arrow_c_stream__(requested_schema)


@contextmanager
def readable(connection: duckdb.DuckDBPyConnection, **frames: pl.DataFrame) -> Iterator[None]:
    """While this lasts, SQL on the connection can select from the frames by these names."""
    for name, frame in frames.items():
        connection.register(name, ArrowStream(frame))
    try:
        yield
    finally:
        for name in frames:
            connection.unregister(name)
