"""Which kind of warehouse the tests use: `TESTED_WAREHOUSE` is unset (a DuckDB file or memory), or one of the lakes.

TESTED_WAREHOUSE=lake       Parquet on disk, the catalogue in a file
TESTED_WAREHOUSE=postgres   Parquet on disk, the catalogue in PostgreSQL
TESTED_WAREHOUSE=s3         Parquet in an S3-compatible store, the catalogue in PostgreSQL
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path

import duckdb
import lake_servers
import pytest

from pipelines.land.layout import create_tables
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings

KIND = os.environ.get("TESTED_WAREHOUSE", "")
_EXTENSION = version("duckdb-extension-ducklake")
_numbers = count()


def new_warehouse(folder: Path, kind: str = KIND) -> dict[str, str]:
    """Settings that name a warehouse which nobody has used yet; none of them for a DuckDB file."""
    if not kind:
        return {}
    if duckdb.__version__ != _EXTENSION:
        pytest.skip(f"DuckLake's extension is for DuckDB {_EXTENSION}")
    name = f"lake_{os.getpid()}_{next(_numbers)}"
    if kind == "lake":
        return {"warehouse": f"ducklake:{folder / name}.ducklake", "lake_data_path": str(folder / name)}
    catalogue = {"warehouse": f"ducklake:postgres:{lake_servers.new_database(name)}"}
    if kind == "postgres":
        return catalogue | {"lake_data_path": str(folder / name)}
    assert kind == "s3", f"TESTED_WAREHOUSE={kind} is unknown"
    return catalogue | {
        "lake_data_path": f"s3://{lake_servers.BUCKET}/{name}",
        "lake_s3_endpoint": lake_servers.object_store(),
        "lake_s3_key_id": "testing",
        "lake_s3_secret": "canary-of-the-store",
    }


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """The same as variables of the environment."""
    return {f"NEXUDUS_{name.upper()}": value for name, value in settings.items()}


@contextmanager
def empty_warehouse(kind: str = KIND) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with its tables and no rows, in memory unless lakes are tested; gone with its connection."""
    if kind:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(_env_file=None, data_dir=Path(folder), **new_warehouse(Path(folder), kind))
            with open_warehouse(settings) as connection:
                yield connection
        return
    # One thread: starting more costs tests of a few rows a third of their time.
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("attach ':memory:' as warehouse; use warehouse; set timezone = 'UTC'")
        create_tables(connection)
        yield connection
