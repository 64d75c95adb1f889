"""A file of `sql/model` is a table of the same name; a file of `sql/checks` is a sentence that must hold.

Both are read here, into values; nothing here runs them (see `building`).
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import WrongUseError
from pipelines.foundation.sql_files import sql_folder
from pipelines.model.headers import Header, Promise, parse_header


@dataclass(frozen=True)
class DataTest:
    """A query that returns the rows breaking the sentence that is its name."""

    name: str
    description: str
    concerns: str
    sql: str
    upstream: frozenset[str]


@dataclass(frozen=True)
class SqlModel:
    """A file of `sql/model`: the table `model.<name>`, what its header says, and what it reads.

    `columns` maps each column to its meaning, `personal` each personal column to its stand-in (or None). `upstream`
    holds the tables that the SQL reads, `frames` the names without a schema, which Python supplies.
    """

    name: str
    description: str
    columns: dict[str, str]
    promises: tuple[Promise, ...]
    personal: dict[str, str | None]
    pseudonymous: frozenset[str]
    published: bool
    sql: str
    upstream: frozenset[str]
    frames: frozenset[str]
    tests: tuple[DataTest, ...]
    version: str

    @property
    def table(self) -> str:
        """The table's name with its schema."""
        return f"model.{self.name}"

    @property
    def deps(self) -> frozenset[str]:
        """Tables that must be built before this model is built and tested."""
        return self.upstream.union(*(test.upstream for test in self.tests)) - {self.table}


def load_models(folder: Path | None = None, checks: Path | None = None) -> list[SqlModel]:
    """The models of a folder (the project's own by default), in an order in which they can be built.

    Raises WrongUseError, naming file and line, for a header or SQL that cannot be read, and for models in a circle.
    """
    tests = load_data_tests(checks or sql_folder("checks"))
    models = {model.table: model for model in _models(folder or sql_folder("model"), tests)}
    if strays := [test.name for test in tests if test.concerns not in models]:
        raise WrongUseError(f"sql/checks/{strays[0]}.sql concerns a model that does not exist; fix its header.")
    try:
        order = list(TopologicalSorter({name: sorted(model.deps) for name, model in models.items()}).static_order())
    except CycleError as error:
        raise WrongUseError(f"The models {' -> '.join(error.args[1])} read each other in a circle.") from None
    return [models[name] for name in order if name in models]


def models_behind(tables: Collection[str]) -> list[SqlModel]:
    """The project's models of these tables (`model.…`) and all that they read, in an order to build them in."""
    models, wanted = load_models(), set(tables)
    for model in reversed(models):
        wanted |= model.upstream if model.table in wanted else set()
    return [model for model in models if model.table in wanted]


def load_data_tests(folder: Path) -> list[DataTest]:
    """The data tests of a folder, by name."""
    tests = []
    for path, text, header in _files(folder):
        if not header.concerns:
            raise WrongUseError(f"{path}:1: a data test names its model below `-- concerns`.")
        tests.append(
            DataTest(path.stem, header.description, header.concerns, text, _reads(path, text)[0] | header.reads)
        )
    return tests


def _models(folder: Path, tests: list[DataTest]) -> Iterator[SqlModel]:
    files = list(_files(folder))
    headers = {f"model.{path.stem}": header for path, _, header in files}
    for path, text, header in files:
        upstream, frames = _reads(path, text)
        yield SqlModel(
            name=path.stem,
            description=header.description,
            columns=dict(_columns(path, header, headers)),
            promises=header.promises,
            personal=header.personal,
            pseudonymous=header.pseudonymous,
            published=header.published,
            sql=text,
            upstream=upstream | header.reads,
            frames=frames,
            tests=tuple(test for test in tests if test.concerns == f"model.{path.stem}"),
            version=hashlib.sha256(text.encode()).hexdigest()[:12],
        )


def _columns(path: Path, header: Header, headers: dict[str, Header]) -> Iterator[tuple[str, str]]:
    yield from header.columns.items()
    for table, without in header.columns_as_in.items():
        if table not in headers or (strays := without - headers[table].columns.keys()):
            missing = table if table not in headers else f"{table}.{min(strays)}"
            raise WrongUseError(f"{path}: `columns as in` names {missing}, which no model documents.")
        yield from ((name, text) for name, text in headers[table].columns.items() if name not in without)


def _files(folder: Path) -> Iterator[tuple[Path, str, Header]]:
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        try:
            yield path, text, parse_header(text)
        except ValueError as error:
            raise WrongUseError(f"{path}:{error}") from None


def _reads(path: Path, sql: str) -> tuple[frozenset[str], frozenset[str]]:
    try:
        qualified, bare = tables_read(sql)
    except ValueError as error:
        raise WrongUseError(f"{path}: {error}") from None
    return qualified, bare


@cache
def tables_read(sql: str) -> tuple[frozenset[str], frozenset[str]]:
    """The tables a select reads: those named with a schema, and those named without one that are no CTE of its own.

    DuckDB's own parser finds them, so strings and comments cannot mislead. Raises ValueError for what does not parse.
    """
    with duckdb.default_connection().cursor() as connection:
        (answer,) = connection.execute("select json_serialize_sql(?)", [sql]).fetchall()[0]
    parsed = json.loads(answer)
    if parsed["error"]:
        raise ValueError(parsed["error_message"])
    nodes = list(_nodes(parsed))
    tables = [node for node in nodes if node.get("type") == "BASE_TABLE"]
    ctes = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
    return (
        frozenset(f"{table['schema_name']}.{table['table_name']}" for table in tables if table["schema_name"]),
        frozenset(table["table_name"] for table in tables if not table["schema_name"]) - ctes,
    )


def _nodes(value: object) -> Iterator[dict[str, Any]]:
    children: Iterable[object] = ()
    if isinstance(value, dict):
        yield value
        children = value.values()
    elif isinstance(value, list):
        children = value
    for child in children:
        yield from _nodes(child)
