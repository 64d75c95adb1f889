"""How a polars frame reaches DuckDB without pyarrow."""

import polars as pl


class ArrowStream:
    """A frame shown to DuckDB as a plain Arrow stream and nothing else, which it reads by itself."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's protocol for handing over a table."""
        return self._frame.__arrow_c_stream__(requested_schema)
