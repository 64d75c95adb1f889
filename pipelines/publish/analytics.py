"""The published file: built aside, checked, and swapped in by one rename, so that readers never wait or see half."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from pipelines.errors import BrokenPromiseError, WrongUseError
from pipelines.land.arrow_stream import ArrowStream
from pipelines.land.warehouse import make_private_folder, transaction
from pipelines.model.sql_models import SqlModel, load_models
from pipelines.sql_files import sql_folder

# The oldest DuckDB that analysts are promised: newer ones open it too.
_STORAGE_VERSION = "v1.1.0"
_DICTIONARY = {
    "table_name": "The table",
    "column_name": "The column",
    "data_type": "Its DuckDB type",
    "description": "What it means",
    "is_personal": "Whether it holds personal data; its values are published only with NEXUDUS_PUBLISH_PERSONAL_DATA",
}


class Published(NamedTuple):
    """A published file: where it is, its size in bytes, its SHA-256, and the rows of each table."""

    path: Path
    byte_count: int
    checksum: str
    row_counts: Mapping[str, int]


def publish(
    connection: duckdb.DuckDBPyConnection, models: Iterable[SqlModel], target: Path, *, personal_data: bool
) -> Published:
    """Write the published models of the warehouse (the connection's current database) to `target`.

    Until the last step, one rename, the file that was there stays as it was; a reader that has it open keeps it.
    Raises WrongUseError when the folder cannot be written to, BrokenPromiseError when the new file does not read back.
    """
    make_private_folder(target.parent)
    for stale in target.parent.glob(f".{target.name}.*.building*"):
        stale.unlink(missing_ok=True)
    building = target.with_name(f".{target.name}.{os.getpid()}.building")
    sources = [(model, model.table) for model in models if model.published]
    sources += [(view, f"({view.sql.rstrip().removesuffix(';')}\n)") for view in load_views()]
    try:
        _build(connection, sources, building, personal_data=personal_data)
        row_counts = _read_back(building)
        building.chmod(0o600)
        _sync_to_disk(building)
        published = Published(target, building.stat().st_size, _checksum(building), row_counts)
        building.replace(target)
        _sync_to_disk(target.parent)
    except OSError as error:
        raise WrongUseError(
            f"{target} cannot be written ({error.strerror}): check NEXUDUS_ANALYTICS and the disk."
        ) from None
    finally:
        building.unlink(missing_ok=True)
        building.with_name(f"{building.name}.wal").unlink(missing_ok=True)
    return published


def load_views() -> list[SqlModel]:
    """What is published straight from the landing tables: the files of `sql/publish`."""
    return load_models(sql_folder("publish"), checks=sql_folder("publish") / "checks")


def _build(
    connection: duckdb.DuckDBPyConnection, sources: list[tuple[SqlModel, str]], building: Path, *, personal_data: bool
) -> None:
    path = str(building).replace("'", "''")
    connection.execute(f"attach '{path}' as published (storage_version '{_STORAGE_VERSION}')")
    try:
        with transaction(connection):
            for model, source in sources:
                masks = _masks(model, personal_data=personal_data)
                connection.execute(f"create table published.main.{model.name} as select *{masks} from {source}")  # noqa: S608
                _comment(connection, model.name, model.description, model.columns)
            _write_dictionary(connection, [model for model, _ in sources])
        connection.execute("checkpoint published")
    finally:
        connection.execute("detach published")


def _masks(model: SqlModel, *, personal_data: bool) -> str:
    """Personal columns keep their place and type; their value is the stand-in that the model names, or null."""
    if personal_data or not model.personal:
        return ""
    replaced = (f"{stand_in or 'null::varchar'} as {column}" for column, stand_in in model.personal.items())
    return f" replace ({', '.join(replaced)})"


def _write_dictionary(connection: duckdb.DuckDBPyConnection, tables: list[SqlModel]) -> None:
    meanings = pl.DataFrame(
        [
            (model.name, column, meaning, column in model.personal)
            for model in tables
            for column, meaning in model.columns.items()
        ],
        schema=["table_name", "column_name", "description", "is_personal"],
        orient="row",
    )
    connection.register("meanings", ArrowStream(meanings))
    connection.execute(
        """
        create table published.main.data_dictionary as
        select meanings.table_name, column_name, made.data_type, meanings.description, meanings.is_personal
        from meanings
        inner join duckdb_columns() as made using (table_name, column_name)
        where made.database_name = 'published'
        order by made.table_name, made.column_index
        """
    )
    connection.unregister("meanings")
    _comment(
        connection, "data_dictionary", "One row per column of each published table, with its meaning.", _DICTIONARY
    )


def _comment(connection: duckdb.DuckDBPyConnection, table: str, description: str, columns: Mapping[str, str]) -> None:
    connection.execute(f"comment on table published.main.{table} is {_quoted(description)}")
    for column, meaning in columns.items():
        connection.execute(f"comment on column published.main.{table}.{column} is {_quoted(meaning)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _read_back(file: Path) -> dict[str, int]:
    """Row counts of the file as a reader finds them."""
    try:
        with duckdb.connect(str(file), read_only=True) as reader:
            tables = [name for (name,) in reader.execute("select table_name from duckdb_tables()").fetchall()]
            return {name: (reader.execute(f'select count(*) from "{name}"').fetchone() or (0,))[0] for name in tables}  # noqa: S608 - our own names
    except duckdb.Error as error:
        raise BrokenPromiseError(
            f"The file built for publishing does not read back ({error}); nothing was published."
        ) from None


def _sync_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
