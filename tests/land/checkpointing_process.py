"""A process that changes a warehouse and makes a checkpoint of each change, to be killed."""

import multiprocessing
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import duckdb

from pipelines.land import checkpoints
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

TABLES = 12

_context = multiprocessing.get_context("forkserver")
# DuckDB imports pandas where there is one, at the first statement with a parameter.
_context.set_forkserver_preload(["pipelines.land.warehouse", "pandas"])


def number() -> Any:
    """A number that processes share: the last change that is said to be durable."""
    return _context.Value("q", 0, lock=False)  # a killed process would take its lock along


def start(folder: Path, said: Any) -> BaseProcess:
    """The process, started; it goes on from `said` until it is killed."""
    process = _context.Process(target=_change_for_ever, args=(folder, said), daemon=True)
    process.start()
    return process


def warehouse_in(folder: Path) -> Settings:
    """Settings of a warehouse in this folder."""
    return Settings(_env_file=None, data_dir=folder, username="nobody", password="none")  # type: ignore[call-arg, arg-type]


def change(settings: Settings, connection: duckdb.DuckDBPyConnection, table: int, said: str) -> None:
    """One change of the tables `model.t0` to `t11` and of `model.newest`."""
    with warehouse_of(settings).writing_alone(connection):
        connection.execute(f"update model.t{table % TABLES} set said = $said where i < 500", {"said": said})
        connection.execute("create or replace table model.newest as select $said as said", {"said": said})


def _change_for_ever(folder: Path, said: Any) -> None:
    settings = warehouse_in(folder)
    with open_warehouse(settings) as connection:
        for number in count(said.value + 1):
            change(settings, connection, number, str(number))
            said.value = number
            checkpoints.checkpoint(connection, Path(settings.warehouse_path))
