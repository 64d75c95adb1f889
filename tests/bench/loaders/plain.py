"""What one writes in an afternoon: httpx, dictionaries, a polars frame a page, and a merge into DuckDB at the end."""

import json
import sys
from pathlib import Path

import duckdb
import polars as pl
from pages import SCHEMA, pages, table

from pipelines.foundation.frames import readable

base_url, token, page_size, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
TYPES = {"bigint": pl.Int64, "boolean": pl.Boolean, "decimal(18, 4)": pl.Float64}
schema = {name: TYPES.get(kind, pl.String) for name, kind in SCHEMA.items()}
with duckdb.connect(str(folder / "plain.duckdb")) as connection:
    since = table(connection)
    frames = [
        pl.DataFrame(json.loads(body)["Records"], schema=schema) for body in pages(base_url, token, page_size, since)
    ]
    with readable(connection, page=pl.concat(frames).unique("Id", keep="last")):
        connection.execute(
            "merge into histories using page on histories.Id = page.Id "
            "when matched then update by name when not matched then insert by name"
        )
    print(connection.execute("select count(*) from histories").fetchone()[0])
