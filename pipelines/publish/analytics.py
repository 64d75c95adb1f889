"""The published file: built beside the old one, checked, swapped in by one rename. Readers never wait or see half."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from pipelines.errors import BrokenPromiseError, WrongUseError
from pipelines.foundation.duckdb_errors import quoted
from pipelines.foundation.frames import readable
from pipelines.foundation.memory import COPYING, with_memory_limit
from pipelines.foundation.private_files import make_private_folder, settle, unwritable
from pipelines.foundation.sql_files import sql_folder
from pipelines.foundation.transactions import transaction
from pipelines.land.erased_people import account_key
from pipelines.land.layout import program_version
from pipelines.model.sql_models import SqlModel, load_models
from pipelines.publish import releases
from pipelines.publish.releases import Release
from pipelines.settings import utc_now

# The oldest DuckDB that analysts are promised: newer ones open it too.
_STORAGE_VERSION = "v1.1.0"
_DICTIONARY = {
    "table_name": "The table",
    "column_name": "The column",
    "data_type": "Its DuckDB type",
    "description": "What it means",
    "is_personal": "Whether it holds personal data; its values are published only with NEXUDUS_PUBLISH_PERSONAL_DATA",
    "is_pseudonymous": "Whether it names the customer to people with access to Nexudus, and to nobody else; with "
    "NEXUDUS_PUBLISH_TOKENS its values are keyed tokens, the same for the same value",
}
_CHECKS = {
    "table_name": "The table that the promise is about",
    "check_name": "The check, as Dagster names it",
    "promise": "What must hold",
}
# Tables are sorted by their key, so that a query reads little of the file. Longer tables keep the order in which their
# rows came, which is nearly that of time: sorting ten million wide rows costs as much as writing them, and filtering
# them unsorted takes 25 ms.
_LONGEST_SORTED = 1_000_000
# The errors with which DuckDB reports that it could not write; TransactionException at the commit.
_DISK_ERRORS = (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException)


class Published(NamedTuple):
    """A published file: where it is, its size in bytes, its SHA-256, the rows of each table, its release number.

    `withdraws_personal_data`: an earlier release held of people what this one may not.
    """

    path: Path
    byte_count: int
    checksum: str
    row_counts: Mapping[str, int]
    release_number: int
    withdraws_personal_data: bool


def publish(
    connection: duckdb.DuckDBPyConnection,
    models: Iterable[SqlModel],
    target: Path,
    *,
    personal_data: bool,
    tokens: bool = False,
    now: datetime | None = None,
    inputs: str | None = None,
    kept_releases: int = 3,
) -> Published:
    """Write the published models of the warehouse (the connection's current database) to `target`.

    With `tokens` pseudonymous columns hold keyed tokens. `inputs` is the version of what they were built from, for the
    next run to compare.

    The previous file is untouched until the last step, one rename; a reader that has it open keeps it.
    Raises WrongUseError when the folder cannot be written to, BrokenPromiseError when the new file does not read back.
    """
    make_private_folder(target.parent, is_published=True)
    models = [model for model in models if model.published]
    building = target.with_name(f".{target.name}.{os.getpid()}.building")
    try:
        with releases.one_publisher(target):
            _require_own(target)
            _sweep(target)
            number = releases.next_number(target)
            published_at = now or utc_now()
            _set_variables(connection, number, published_at, personal_data=personal_data, tokens=tokens)
            try:
                with _bulk_writing(connection):
                    row_counts = with_memory_limit(
                        connection,
                        _row_count(connection, "land.coworker_invoice_histories"),
                        lambda: _build(connection, models, building, personal_data=personal_data, tokens=tokens),
                        least_bytes=COPYING,
                    )
                _check_that_it_reads_back(building, row_counts)
                settle(building, is_published=True)
                made = Release(
                    release_number=number,
                    published_at=published_at,
                    file=releases.kept_name(target, number),
                    sha256=releases.checksum(building),
                    byte_count=building.stat().st_size,
                    program_version=program_version(),
                    row_counts=row_counts,
                    has_personal_data=personal_data,
                    has_plain_ids=not tokens,
                    inputs=inputs,
                )
                removed = releases.release(target, building, made, kept_releases)
                _check_that_it_reads_back(target, row_counts)
            finally:
                _sweep(target)
    except (OSError, *_DISK_ERRORS) as error:
        advice = "check NEXUDUS_ANALYTICS and its permissions. The file published before is unchanged."
        raise unwritable(target, error, advice) from None
    withdraws = any(one.says_more_than(made) for one in removed)
    return Published(target, made.byte_count, made.sha256, row_counts, number, withdraws)


def _require_own(target: Path) -> None:
    """Raise WrongUseError where a file would be replaced that was not published by this program."""
    if not target.exists() or (target.is_file() and target.stat().st_size == 0):
        return
    if target.is_file() and releases.manifest_path(target).exists():
        return
    try:
        with duckdb.connect() as reader:
            reader.execute(f"attach {quoted(str(target))} as published (read_only)")
            reader.execute("select release_number from published.about")
    except duckdb.Error:
        raise WrongUseError(
            f"NEXUDUS_ANALYTICS names {target}, which this program has not published: name another file, or move it "
            "away. Nothing was changed."
        ) from None


def load_views() -> list[SqlModel]:
    """Published tables that are not models: the files of `sql/publish`."""
    return load_models(sql_folder("publish"), checks=sql_folder("publish") / "checks")


def _set_variables(
    connection: duckdb.DuckDBPyConnection, number: int, published_at: datetime, *, personal_data: bool, tokens: bool
) -> None:
    values = {
        "release_number": number,
        "published_at": published_at,
        "program_version": program_version(),
        "personal_data": personal_data,
        "token_key": account_key(connection) if tokens else "",
    }
    for name, value in values.items():
        connection.execute(f"set variable {name} = $value", {"value": value})


@contextmanager
def _bulk_writing(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Settings for bulk writing; restored afterwards."""
    quick = {
        "preserve_insertion_order": "false",
        # Symbol tables for texts cost a tenth of the writing time and save a hundredth of the file.
        "disabled_compression_methods": "fsst,dict_fsst",
    }
    before = {name: connection.execute("select current_setting(?)", [name]).fetchall()[0][0] for name in quick}
    for name, value in quick.items():
        connection.execute(f"set {name} = '{value}'")
    try:
        yield
    finally:
        for name, value in before.items():
            connection.execute(f"set {name} = '{value}'")


def _build(
    connection: duckdb.DuckDBPyConnection, models: list[SqlModel], building: Path, *, personal_data: bool, tokens: bool
) -> dict[str, int]:
    """Write every table into the new file; returns the rows of each."""
    building.unlink(missing_ok=True)
    views = load_views()
    sources = [(model, model.table) for model in models]
    sources += [(view, f"({view.sql.rstrip().removesuffix(';')}\n)") for view in views]
    connection.execute(f"attach {quoted(str(building))} as published (storage_version '{_STORAGE_VERSION}')")
    try:
        with transaction(connection):
            row_counts = {
                model.name: _write_table(
                    connection, model, source, _masks(model, personal_data=personal_data, tokens=tokens)
                )
                for model, source in sources
            }
            row_counts["data_dictionary"] = _write_dictionary(connection, [*models, *views])
            row_counts["data_checks"] = _write_checks(connection, models)
        connection.execute("checkpoint published")
    finally:
        connection.execute("detach published")
    return row_counts


def _write_table(connection: duckdb.DuckDBPyConnection, model: SqlModel, source: str, masks: str) -> int:
    key = next((", ".join(promise.columns) for promise in model.promises if promise.kind == "unique"), None)
    order = f" order by {key}" if key and _row_count(connection, source) <= _LONGEST_SORTED else ""
    answer = connection.execute(
        f"create table published.main.{model.name} as select *{masks} from {source}{order}"  # noqa: S608 - our own SQL
    ).fetchall()
    _comment(connection, model.name, model.description, model.columns)
    return int(answer[0][0])


def _row_count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    return int(connection.execute(f"select count(*) from {source}").fetchall()[0][0])  # noqa: S608 - our own SQL


def _masks(model: SqlModel, *, personal_data: bool, tokens: bool) -> str:
    """Masked columns keep their position and type; their value is the replacement that the model names, or null.

    Or a token, made with the account's key. That of a number is a number of 48 bits, which a spreadsheet keeps exactly.
    """
    replaced = {} if personal_data else {column: other or "null::varchar" for column, other in model.personal.items()}
    for column in model.pseudonymous if tokens else ():
        digits = f"left(sha256(getvariable('token_key') || sha256(getvariable('token_key') || {column})), 12)"
        replaced[column] = f"('0x' || {digits})::bigint" if column.endswith("_id") else digits
    listed = ", ".join(f"{other} as {column}" for column, other in replaced.items())
    return f" replace ({listed})" if listed else ""


def _write_dictionary(connection: duckdb.DuckDBPyConnection, tables: list[SqlModel]) -> int:
    meanings = pl.DataFrame(
        [
            (model.name, column, meaning, column in model.personal, column in model.pseudonymous)
            for model in tables
            for column, meaning in model.columns.items()
        ],
        schema=["table_name", "column_name", "description", "is_personal", "is_pseudonymous"],
        orient="row",
    )
    with readable(connection, meanings=meanings):
        answer = connection.execute(
            """
            create table published.main.data_dictionary as
            with kept as materialized (from meanings) -- a filter of the join would go to pyarrow, which cannot do it
            select kept.table_name, column_name, made.data_type, kept.* exclude (table_name, column_name)
            from kept
            inner join duckdb_columns() as made using (table_name, column_name)
            where made.database_name = 'published'
            order by made.table_name, made.column_index
            """
        ).fetchall()
    _comment(
        connection, "data_dictionary", "One row per column of each published table, with its meaning.", _DICTIONARY
    )
    return int(answer[0][0])


def _write_checks(connection: duckdb.DuckDBPyConnection, models: list[SqlModel]) -> int:
    promises = pl.DataFrame(
        [
            *((model.name, each.name, f"{each.kind}: {each.text}") for model in models for each in model.promises),
            *((model.name, each.name, each.description) for model in models for each in model.tests),
        ],
        schema={"table_name": pl.String, "check_name": pl.String, "promise": pl.String},
        orient="row",
    )
    with readable(connection, promises=promises):
        answer = connection.execute("create table published.main.data_checks as from promises order by all").fetchall()
    description = (
        "One row per promise that was checked before this file was published; a broken promise stops publishing."
    )
    _comment(connection, "data_checks", description, _CHECKS)
    return int(answer[0][0])


def _comment(connection: duckdb.DuckDBPyConnection, table: str, description: str, columns: Mapping[str, str]) -> None:
    connection.execute(f"comment on table published.main.{table} is {quoted(description)}")
    for column, meaning in columns.items():
        connection.execute(f"comment on column published.main.{table}.{column} is {quoted(meaning)}")


def _check_that_it_reads_back(file: Path, row_counts: Mapping[str, int]) -> None:
    """Raise BrokenPromiseError unless a reader finds the row count of every table that was written."""
    try:
        with duckdb.connect() as reader:  # by `connect(file)` a release that this process has open would be read
            reader.execute(f"attach {quoted(str(file))} as written (read_only); use written")
            tables = [name for (name,) in reader.execute("select table_name from duckdb_tables()").fetchall()]
            found = {name: reader.execute(f'select count(*) from "{name}"').fetchall()[0][0] for name in tables}  # noqa: S608 - our own names
    except duckdb.Error as error:
        raise BrokenPromiseError(
            f"The file built for publishing does not read back ({error}); nothing was published."
        ) from None
    if found != row_counts:
        differing = sorted(name for name, _ in found.items() ^ row_counts.items())
        raise BrokenPromiseError(
            f"The file built for publishing lacks rows of {', '.join(dict.fromkeys(differing))}; nothing was published."
        )


def _sweep(target: Path) -> None:
    """Remove unfinished files of an earlier publisher. Only one runs at a time, so none is in use."""
    for stale in target.parent.glob(f".{target.name}.*.building*"):
        stale.unlink(missing_ok=True)
