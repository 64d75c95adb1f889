"""The tables of the warehouse: made where they are missing."""

from collections.abc import Iterable

import duckdb

from pipelines.extract.entity import Entity
from pipelines.extract.histories import HISTORIES
from pipelines.foundation.sql_files import sql_folder
from pipelines.land.entity_tables import ENTITIES, create_entity_tables

SCHEMAS = ("land", "model", "record")


def create_tables(connection: duckdb.DuckDBPyConnection, entities: Iterable[Entity] = ENTITIES) -> None:
    """Make the schemas, the landing tables and the outbox in the current database where they are missing."""
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    for entity in entities:
        create_entity_tables(connection, entity)
    for file in sorted([*sql_folder("land").glob("*.sql"), *(sql_folder("record") / "tables").glob("*.sql")]):
        connection.execute(file.read_text(encoding="utf-8"))
    # Of a warehouse that was made when there was one entity only.
    for table in ("windows", "runs", "rejected_records", "reconciliations"):
        if "entity" not in connection.table(f"land.{table}").columns:
            connection.execute(f"alter table land.{table} add column entity varchar")
            connection.execute(f"update land.{table} set entity = $one", {"one": HISTORIES.name})  # noqa: S608
