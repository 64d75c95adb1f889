"""The tables of an entity, made from its description: their columns, and the statements that are the same for all.

A statement about any entity is written about `land.entity_rows` and `land.entity_versions`, which stand for the tables
of whichever entity it is run for.
"""

from collections.abc import Mapping
from functools import cache

import duckdb
from msgspec import inspect

from pipelines.extract.entity import Entity
from pipelines.extract.histories import HISTORIES
from pipelines.extract.invoices import INVOICES
from pipelines.extract.records import Record
from pipelines.foundation.sql_files import sql_folder

ENTITIES = (HISTORIES, INVOICES)
"""What is landed."""

_TYPES: Mapping[type, str] = {
    inspect.IntType: "bigint",
    inspect.FloatType: "double",
    inspect.StrType: "varchar",
    inspect.BoolType: "boolean",
    inspect.DateTimeType: "timestamptz",
    inspect.DecimalType: "decimal(18, 4)",
    inspect.RawType: "json",
}
# Where the API's UpdatedOn is null `updated_on` is `created_on`, and `has_updated_on` false: no filter on UpdatedOn
# finds such a record.
_ROW_COLUMNS = {
    "has_updated_on": "boolean",
    "extra": "json",
    "content_hash": "varchar",
    "first_seen_at": "timestamptz",
    "seen_at": "timestamptz",
    "deleted_at": "timestamptz",
}
# Append-only: the raw JSON of each content a record was seen with, and when. From it a better typed table can be made
# without the API.
_VERSION_COLUMNS = {
    "id": "bigint",
    "updated_on": "timestamptz",
    "seen_at": "timestamptz",
    "content_hash": "varchar",
    "raw": "json",
}


@cache
def field_types(record: type[Record]) -> dict[str, str]:
    """Column → SQL type of every documented field, from the record's own annotations."""
    return {
        field.name: next(
            _TYPES[type(part)] for part in getattr(field.type, "types", (field.type,)) if type(part) in _TYPES
        )
        for field in inspect.type_info(record).fields  # type: ignore[attr-defined]
        if not field.encode_name.startswith("#")
    }


def tables_of(entity: Entity) -> dict[str, dict[str, str]]:
    """Table → column → SQL type: one row per record, its newest known content; and one per content it was seen with.

    No keys or indexes: landing and the checks keep `id` unique, on a DuckDB file and on DuckLake alike.
    """
    return {entity.rows: field_types(entity.contract.record) | _ROW_COLUMNS, entity.versions: _VERSION_COLUMNS}


def create_entity_tables(connection: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    """Make the tables of an entity in the current database where they are missing."""
    for table, columns in tables_of(entity).items():
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"create table if not exists {table} ({listed})")


def for_entity(statement: str, entity: Entity) -> str:
    """A statement about any entity, about this one."""
    return statement.replace("land.entity_rows", entity.rows).replace("land.entity_versions", entity.versions)


@cache
def merge_sql(name: str, entity: Entity) -> str:
    """The statement of this name in sql/land/merge, about an entity."""
    return for_entity((sql_folder("land") / "merge" / f"{name}.sql").read_text(encoding="utf-8"), entity)
