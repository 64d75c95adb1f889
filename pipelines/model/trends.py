"""The polars model: problem entries per day against what that weekday is used to. Filled in below."""

import duckdb
import polars as pl


def read_trends(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The trend of every series: not there yet, so no model asks for it."""
    return pl.DataFrame(connection.sql("select * from model.daily_problem_entries"))
