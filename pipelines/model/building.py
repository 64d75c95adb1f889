"""Runs models and their promises on a connection whose current database is the warehouse."""

# ruff: noqa: S608 - the SQL is put together from the project's own files; no value from outside gets into it

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import polars as pl

from pipelines.foundation.frames import readable
from pipelines.foundation.memory import JOINING, with_memory_limit
from pipelines.foundation.sql_files import sql_folder
from pipelines.model import classifier, incidents, rules, trends
from pipelines.model.headers import Promise
from pipelines.model.sql_models import SqlModel, load_models
from pipelines.settings import PAYMENT_LOST_AFTER_DAYS

OFFENDERS_SHOWN = 5
# Up to here a second thread costs more than it does: each compiles the patterns of the rules anew.
_FEW_ENTRIES = 20_000
DOCUMENTED_CHECK = "documented_columns_equal_real_ones"
DOCUMENTED = "The columns that the header documents are the columns that the table has."
FRAMES: Mapping[str, Callable[[duckdb.DuckDBPyConnection], pl.DataFrame]] = {
    "polars_incidents": incidents.read_incidents,
    "polars_trends": trends.read_trends,
}

T = TypeVar("T")


@dataclass(frozen=True)
class CheckResult:
    """Whether a promise holds: how many rows break it, and the first few of them."""

    name: str
    sentence: str
    count: int
    rows: tuple[dict[str, Any], ...]

    @property
    def passed(self) -> bool:
        """True where nothing breaks the promise."""
        return self.count == 0


@dataclass(frozen=True)
class BuiltModel:
    """A model as it stands after `build_all`: its number of rows and how its promises fared."""

    model: SqlModel
    row_count: int
    checks: tuple[CheckResult, ...]

    @property
    def broken(self) -> tuple[CheckResult, ...]:
        """The promises that do not hold."""
        return tuple(result for result in self.checks if not result.passed)


def promises_of(model: SqlModel) -> dict[str, str]:
    """What is checked of a model's table: each promise's sentence by its name."""
    return (
        {DOCUMENTED_CHECK: DOCUMENTED}
        | {promise.name: f"{promise.kind}: {promise.text}" for promise in model.promises}
        | {test.name: test.description for test in model.tests}
    )


def prepare(
    connection: duckdb.DuckDBPyConnection,
    reporting_timezone: str = "UTC",
    payment_lost_after_days: int = PAYMENT_LOST_AFTER_DAYS,
) -> None:
    """Gives a connection what the models need: the schema, the settings, the macros of `sql/model/macros`."""
    connection.execute("create schema if not exists model")
    # Tables have no order; and symbol tables for texts cost a third of the writing to save a twentieth of the file.
    connection.execute("set preserve_insertion_order = false; set disabled_compression_methods = 'fsst,dict_fsst'")
    connection.execute(f"set variable reporting_timezone = '{reporting_timezone}'")
    connection.execute(f"set variable payment_lost_after_days = {payment_lost_after_days}")
    for path in sorted((sql_folder("model") / "macros").glob("*.sql")):
        connection.execute(path.read_text(encoding="utf-8"))


def build(connection: duckdb.DuckDBPyConnection, model: SqlModel) -> int:
    """Replaces the model's table, in one transaction, and returns its number of rows. Needs a prepared connection."""
    if classifier.MARK in model.sql:
        classifier.create_classifier(connection)
    statement = f"create or replace table {model.table} as {model.sql}"
    with readable(connection, **{name: FRAMES[name](connection) for name in model.frames}):
        answer = _within_memory(connection, lambda: connection.execute(statement).fetchall())
    return int(answer[0][0])


def build_and_check(connection: duckdb.DuckDBPyConnection, model: SqlModel) -> BuiltModel:
    """Replaces the model's table and looks at its promises. Needs a prepared connection."""
    row_count = build(connection, model)
    return BuiltModel(model, row_count, tuple(check(connection, model)))


def check(connection: duckdb.DuckDBPyConnection, model: SqlModel) -> list[CheckResult]:
    """How each promise of the model's header, and each data test that concerns it, fares on the table as it is."""

    def results() -> list[CheckResult]:
        return list(chain(_documented(connection, model), _promised(connection, model), _tested(connection, model)))

    return _within_memory(connection, results)


def build_all(
    connection: duckdb.DuckDBPyConnection,
    reporting_timezone: str = "UTC",
    rules_folder: Path | None = None,
    models: list[SqlModel] | None = None,
    payment_lost_after_days: int = PAYMENT_LOST_AFTER_DAYS,
) -> list[BuiltModel]:
    """Reads the rules, then builds and checks every model in order. A broken promise is in `checks`, not raised.

    Raises WrongUseError for a broken rules file, before any table is replaced.
    """
    entry_rules = rules.load_rules(rules_folder)
    prepare(connection, reporting_timezone, payment_lost_after_days)
    rules.store_rules(connection, entry_rules)
    return [build_and_check(connection, model) for model in (load_models() if models is None else models)]


def column_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The table's columns and their DuckDB types."""
    return {row[0]: row[1] for row in connection.execute(f"describe {table}").fetchall()}


def _within_memory(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    ((entry_count,),) = connection.execute("select count(*) from land.coworker_invoice_histories").fetchall()
    if entry_count < _FEW_ENTRIES:
        connection.execute("set threads = 1")
    return with_memory_limit(connection, entry_count, work, least_bytes=JOINING)


def _documented(connection: duckdb.DuckDBPyConnection, model: SqlModel) -> Iterator[CheckResult]:
    real = list(column_types(connection, model.table))
    differing = sorted(set(real) ^ set(model.columns))
    rows = tuple({"column": name, "documented": name in model.columns, "made": name in real} for name in differing)
    yield CheckResult(DOCUMENTED_CHECK, DOCUMENTED, len(rows), rows)


def _promised(connection: duckdb.DuckDBPyConnection, model: SqlModel) -> Iterator[CheckResult]:
    by_row = [promise for promise in model.promises if promise.kind != "unique"]
    broken = dict(zip(by_row, _count_broken(connection, model.table, by_row), strict=True))
    for promise in model.promises:
        if broken.get(promise) == 0:
            yield CheckResult(promise.name, f"{promise.kind}: {promise.text}", 0, ())
        else:
            query = _offenders(model.table, promise)
            yield _result(connection, model, promise.name, f"{promise.kind}: {promise.text}", query)


def _count_broken(connection: duckdb.DuckDBPyConnection, table: str, promises: list[Promise]) -> list[int]:
    # One pass over the table for all of them: on ten million rows a pass a promise would cost more than the model.
    if not promises:
        return []
    counts = ", ".join(f"count_if({_broken(promise)})" for promise in promises)
    return list(connection.execute(f"select {counts} from {table}").fetchall()[0])


def _broken(promise: Promise) -> str:
    """The condition that a row breaks; null where SQL cannot tell, which passes."""
    match promise.kind:
        case "not null":
            return " or ".join(f"{column} is null" for column in promise.columns)
        case "accepted":
            values = ", ".join(f"'{value}'" for value in promise.values)
            return f"{promise.columns[0]}::varchar not in ({values})"
        case _:
            return f"not ({promise.text})"


def _offenders(table: str, promise: Promise) -> str:
    if promise.kind == "unique":
        columns = ", ".join(promise.columns)
        return f"select {columns}, count(*) as row_count from {table} group by {columns} having count(*) > 1"
    return f"select * from {table} where {_broken(promise)}"


def _tested(connection: duckdb.DuckDBPyConnection, model: SqlModel) -> Iterator[CheckResult]:
    for test in model.tests:
        yield _result(connection, model, test.name, test.description, test.sql)


def _result(
    connection: duckdb.DuckDBPyConnection, model: SqlModel, name: str, sentence: str, query: str
) -> CheckResult:
    offending = connection.execute(f"from ({query}\n) limit {OFFENDERS_SHOWN}")
    columns = [column[0] for column in offending.description or ()]
    # What is found goes to logs and to Dagster, where personal data has no place whatever the settings.
    rows = tuple(
        {column: value for column, value in zip(columns, row, strict=True) if column not in model.personal}
        for row in offending.fetchall()
    )
    count = len(rows)
    if count == OFFENDERS_SHOWN:
        count = connection.execute(f"select count(*) from ({query}\n)").fetchall()[0][0]
    return CheckResult(name, sentence, count, rows)
