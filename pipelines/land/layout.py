"""The layout of the warehouse: its tables, and how one that an older version made is brought up to date.

What a table looks like now is in `sql/land/*.sql`, or follows from an entity's description. To change a table of
`sql/land`, change its statement and add `sql/land/migrations/<next number>_<what>.sql`, which makes the same of a table
with rows in it. A new field of an entity needs no migration: where a column is missing, the rows are made anew from
their raw JSON (see `rebuild`). To have a column read anew, let a migration drop it.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipelines.errors import WrongUseError
from pipelines.extract.entity import Entity
from pipelines.foundation.sql_files import sql_folder
from pipelines.land.entity_tables import ENTITIES, create_entity_tables, tables_of

SCHEMAS = ("land", "model", "record")
_Tables = Mapping[str, set[str]]


def program_version() -> str:
    """The version of this program."""
    return version("nexudus-billing")


def migrations() -> list[Path]:
    """What is done to an older warehouse, in order: the first brings one of version 0 to version 1."""
    return sorted((sql_folder("land") / "migrations").glob("*.sql"), key=lambda file: int(file.stem.partition("_")[0]))


def create_tables(connection: duckdb.DuckDBPyConnection, entities: Iterable[Entity] = ENTITIES) -> None:
    """Make the schemas, the landing tables and the outbox in the current database where they are missing."""
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    for entity in entities:
        create_entity_tables(connection, entity)
    for file in sorted([*sql_folder("land").glob("*.sql"), *(sql_folder("record") / "tables").glob("*.sql")]):
        connection.execute(file.read_text(encoding="utf-8"))


def bring_up_to_date(connection: duckdb.DuckDBPyConnection, entities: Iterable[Entity] = ENTITIES) -> None:
    """Make the tables of the current database what this version needs, in the transaction that the caller has open.

    Raises WrongUseError where a newer version made them, or where rows cannot be read by this one.
    """
    entities = list(entities)
    tables = _tables(connection)
    reached, newest = _version(connection, tables), len(migrations())
    _refuse_newer(connection, tables, entities)
    incomplete = [entity for entity in entities if _lacks_columns(tables, entity)]
    if tables and (reached < newest or incomplete):
        for migration in migrations()[reached:]:
            connection.execute(migration.read_text(encoding="utf-8"))
        for entity in entities:
            if _lacks_columns(_tables(connection), entity):
                from pipelines.land.rebuild import rebuild  # noqa: PLC0415 - polars, which `status` does not need

                rebuild(connection, entity)
        drop_figures(connection)
    create_tables(connection, entities)
    if not tables or reached < newest or incomplete:
        connection.execute(
            "insert into land.layout by name"
            " select $version as version, $program as program_version, now() as reached_at",
            {"version": newest, "program": program_version()},
        )


def require_up_to_date(connection: duckdb.DuckDBPyConnection, entities: Iterable[Entity] = ENTITIES) -> None:
    """For a connection that cannot write. Raises WrongUseError where the tables are of another version."""
    entities = list(entities)
    tables = _tables(connection)
    _refuse_newer(connection, tables, entities)
    expected = {file.stem for file in sql_folder("land").glob("*.sql")}.union(*(_tables_of(one) for one in entities))
    is_older = _version(connection, tables) < len(migrations()) or not expected <= tables.keys()
    if is_older or any(_lacks_columns(tables, entity) for entity in entities):
        raise WrongUseError(
            "An older version of nexudus-billing made this warehouse: run `nexudus-billing sync`, which brings it up "
            "to date first."
        )


def _tables(connection: duckdb.DuckDBPyConnection) -> _Tables:
    """The tables of the schema `land` and their columns."""
    rows = connection.execute(
        "select table_name, list(column_name) from duckdb_columns()"
        " where database_name = current_database() and schema_name = 'land' group by all"
    ).fetchall()
    return {table: set(columns) for table, columns in rows}


def _version(connection: duckdb.DuckDBPyConnection, tables: _Tables) -> int:
    if "layout" not in tables:
        return 0
    return int(connection.execute("select max(version) from land.layout").fetchall()[0][0] or 0)


def _refuse_newer(connection: duckdb.DuckDBPyConnection, tables: _Tables, entities: Iterable[Entity]) -> None:
    unknown = {column for entity in entities for column in tables.get(entity.table, set()) - _columns_of(entity)}
    if _version(connection, tables) > len(migrations()) or ("layout" in tables and unknown):
        (made_by,) = connection.execute("select arg_max(program_version, reached_at) from land.layout").fetchall()[0]
        raise WrongUseError(
            f"A newer version of nexudus-billing, {made_by}, made this warehouse, and this is {program_version()}: "
            "upgrade the program, or put back a copy of the warehouse from before its upgrade."
        )


def _tables_of(entity: Entity) -> set[str]:
    return {entity.table, entity.versions_table}


def _columns_of(entity: Entity) -> set[str]:
    return set(tables_of(entity)[entity.rows])


def _lacks_columns(tables: _Tables, entity: Entity) -> bool:
    return entity.table in tables and bool(_columns_of(entity) - tables[entity.table])


def drop_figures(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop all figures: another version's may have other columns, and they hold texts. They can be made again."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'model'"
    ).fetchall()
    for (table,) in tables:
        connection.execute(f'drop table model."{table}"')
