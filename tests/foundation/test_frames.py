"""Frames reach DuckDB whole, whichever Arrow reads them."""

import duckdb
import polars as pl

from pipelines.foundation.frames import readable


def test_a_frame_without_rows_is_handed_over_without_a_word_on_stderr(capfd):
    frame = pl.DataFrame(schema={"name": pl.String, "on_date": pl.Date, "count": pl.Int64, "ratio": pl.Float64})

    with duckdb.connect() as connection, readable(connection, page=frame):
        found = connection.execute("select name, ratio from page where count > 3 and name = 'x'").fetchall()
        columns = connection.execute("describe page").fetchall()

    assert found == []
    assert [column[0] for column in columns] == frame.columns
    assert capfd.readouterr().err == ""
