"""The typed rows of an entity made anew from the raw JSON of its versions, without asking the API.

For a table whose columns have changed, or whose rows are lost. What no answer says of itself (when a row was last seen,
that it is gone) is taken over from the rows that are there.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

from pipelines.errors import WrongUseError
from pipelines.extract.entity import Entity
from pipelines.extract.records import Record
from pipelines.foundation.frames import INSTANT, readable
from pipelines.land.entity_tables import create_entity_tables, tables_of
from pipelines.land.merge import record_columns

_BATCH = 10_000
# The content that the row has now; of a lost row the newest, as landing decides it.
_NEWEST = """
with newest as (
    select
        versions.id,
        max({
            'is_current': coalesce(versions.content_hash = landed.content_hash, false),
            'updated_on': versions.updated_on,
            'seen_at': versions.seen_at,
            'place': versions.rowid,
        }).place as place,
        coalesce(any_value(landed.first_seen_at), min(versions.seen_at)) as first_seen_at,
        coalesce(any_value(landed.seen_at), max(versions.seen_at)) as seen_at,
        any_value(landed.deleted_at) as deleted_at,
    from {versions} as versions
    left join {rows} as landed on versions.id = landed.id
    group by versions.id
)

select
    versions.raw,
    versions.content_hash,
    epoch_us(newest.first_seen_at),
    epoch_us(newest.seen_at),
    epoch_us(newest.deleted_at),
from {versions} as versions
inner join newest on versions.rowid = newest.place
"""


def rebuild(connection: duckdb.DuckDBPyConnection, entity: Entity) -> int:
    """Replace the rows of an entity; returns how many there are. The caller opens the transaction.

    Needs the committed tables of rows (which may be empty, or lack columns) and of versions. A row without a version
    stays as it is. Raises WrongUseError where raw JSON breaks the contract of this version.
    """
    (database,) = connection.execute("select current_database()").fetchall()[0]
    columns = tables_of(entity)[entity.rows]
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace temp table rebuilt ({listed})")
    with connection.cursor() as reader:  # a connection has one result at a time
        reader.execute(f'use "{database}"')
        reader.execute(_NEWEST.replace("{versions}", entity.versions).replace("{rows}", entity.rows))
        while batch := reader.fetchmany(_BATCH):
            with readable(connection, batch=_frame(entity, batch)):
                connection.execute("insert into rebuilt by name from batch")
    known = ", ".join(name for name in connection.table(entity.rows).columns if name in columns)
    connection.execute(
        f"insert into rebuilt by name select {known} from {entity.rows} where id not in (select id from rebuilt)"  # noqa: S608 - names of our own
    )
    connection.execute(f"drop table {entity.rows}")
    create_entity_tables(connection, entity)
    ((count,),) = connection.execute(f"insert into {entity.rows} by name from rebuilt").fetchall()
    connection.execute("drop table rebuilt")
    return int(count)


def _frame(entity: Entity, batch: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    raws, hashes, *instants = zip(*batch, strict=True)
    records = [_read(entity, raw) for raw in raws]
    columns = record_columns(entity, records) | {"content_hash": pl.Series(hashes, dtype=pl.String)}
    for name, values in zip(("first_seen_at", "seen_at", "deleted_at"), instants, strict=True):
        columns[name] = pl.Series(values, dtype=pl.Int64).cast(INSTANT)
    return pl.DataFrame(columns)


def _read(entity: Entity, raw: str) -> Record:
    record = entity.contract.read(raw.encode())
    if isinstance(record, Record):
        return record
    raise WrongUseError(
        f"The warehouse cannot be brought up to date: this version cannot read what it holds of {entity.name} "
        f"{record.id} ({record.reason}). Nothing was changed: go back to the version before, and report this."
    )
