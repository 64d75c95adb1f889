"""A person's rows in the warehouse: what is held, and how its personal fields are taken out of all of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import duckdb
import msgspec
import polars as pl

from pipelines.errors import WrongUseError
from pipelines.extract.entity import Entity
from pipelines.extract.records import RejectedRecord
from pipelines.foundation.frames import readable
from pipelines.land.entity_tables import ENTITIES
from pipelines.land.erased_people import (
    LEFT_OUT,
    Eraser,
    Withhold,
    account_key,
    erased_hashes,
    keyed_hash,
    person_in,
    withhold_all,
)
from pipelines.land.layout import drop_figures
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

_BATCH = 10_000


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the warehouse holds of a person: counts, the names, the invoices, and whether they were erased before."""

    entry_count: int
    deleted_entry_count: int
    invoice_count: int
    version_count: int
    rejected_count: int
    outbox_count: int
    names: list[str]
    invoice_ids: list[int]
    is_erased: bool


def held_of(connection: duckdb.DuckDBPyConnection, person: int) -> Held:
    """What the warehouse, the connection's current database, holds of the person with this Id."""
    histories, invoices = ENTITIES
    entry_ids, invoice_ids = (_ids(connection, entity, person) for entity in ENTITIES)
    columns = f"{histories.lookup.column}, deleted_at, {', '.join(histories.people_columns[:-1])}"
    rows = connection.execute(
        f"select {columns} from {histories.rows} where id in (select unnest($ids))",  # noqa: S608 - our own names
        {"ids": entry_ids},
    ).fetchall()
    listed = f"select {', '.join(invoices.people_columns[:-1])} from {invoices.rows} where id in (select unnest($ids))"  # noqa: S608
    names = {name for row in rows for name in row[2:]}
    names |= {name for row in connection.execute(listed, {"ids": invoice_ids}).fetchall() for name in row}
    erased = erased_hashes(connection)  # without any there may be no key yet, and looking makes none
    of_invoices = {row[0] for row in rows if row[0]} | set(invoice_ids)
    return Held(
        entry_count=len(rows),
        deleted_entry_count=sum(row[1] is not None for row in rows),
        invoice_count=len(of_invoices),
        version_count=sum(len(_versions(connection, entity, person)) for entity in ENTITIES),
        rejected_count=len(_rejected(connection, person)),
        outbox_count=len(_outbox(connection, of_invoices)),
        names=sorted(name for name in names if name),
        invoice_ids=sorted(of_invoices),
        is_erased=bool(erased) and keyed_hash(account_key(connection), person) in erased,
    )


def erase_person(connection: duckdb.DuckDBPyConnection, person: int, withhold: Withhold, erased_at: datetime) -> None:
    """Take the person's fields out of rows, raw versions, rejected records and outbox, and remember to do so again.

    The caller opens the transaction. The tables of figures go as well, for they hold texts: they are to be built again.
    Raises WrongUseError while entries for the person's invoices wait to be sent.
    """
    held = held_of(connection, person)
    waiting = [reference for reference, state in _outbox(connection, held.invoice_ids) if state not in _SETTLED]
    if waiting:
        raise WrongUseError(
            f"Entries for this customer are not sent or not confirmed yet ({', '.join(waiting)}): run the command that "
            "sends them once more, then erase the customer."
        )
    key = account_key(connection)
    eraser = Eraser(key, lambda one: one == person, withhold)
    for entity in ENTITIES:
        versions = _versions(connection, entity, person)
        _erase_rows(connection, entity, _ids(connection, entity, person), versions, eraser)
    _erase_rejected(connection, person, eraser)
    connection.execute(
        "update record.outbox set name = '…', description = '… [ref ' || reference || ']', detail = null"
        " where invoice_id in (select unnest($ids))",
        {"ids": held.invoice_ids},
    )
    if not held.is_erased:
        connection.execute(
            "insert into land.erased_people by name select $hash as person_hash, $at::timestamptz as erased_at",
            {"hash": keyed_hash(key, person), "at": erased_at},
        )
    drop_figures(connection)


_SETTLED = ("confirmed", "refused")


def _ids(connection: duckdb.DuckDBPyConnection, entity: Entity, person: int) -> list[int]:
    query = f"select id from {entity.rows} where {entity.person_column} = $person order by id"  # noqa: S608 - our own names
    return [one for (one,) in connection.execute(query, {"person": person}).fetchall()]


def _versions(connection: duckdb.DuckDBPyConnection, entity: Entity, person: int) -> list[tuple[int, str, str]]:
    """Id, hash and raw JSON of every version of the person's records, and of those that were theirs once."""
    query = (
        f"select id, content_hash, raw from {entity.versions}"  # noqa: S608 - our own names
        f" where id in (select id from {entity.rows} where {entity.person_column} = $person)"
        " or contains(raw::varchar, $digits)"
    )
    ids = set(_ids(connection, entity, person))
    found = connection.execute(query, {"person": person, "digits": str(person)}).fetchall()
    return [row for row in found if row[0] in ids or person_in(entity, row[2].encode()) == person]


def _rejected(connection: duckdb.DuckDBPyConnection, person: int) -> list[tuple[Entity, RejectedRecord, datetime]]:
    query = "select entity, id, reason, raw, seen_at from land.rejected_records where contains(raw, $digits)"
    entities = {entity.name: entity for entity in ENTITIES}
    found = connection.execute(query, {"digits": str(person)}).fetchall()
    return [
        (entities[name], RejectedRecord(raw=raw.encode(), reason=reason, id=one), seen_at)
        for name, one, reason, raw, seen_at in found
        if name in entities and person_in(entities[name], raw.encode()) == person
    ]


def _outbox(connection: duckdb.DuckDBPyConnection, invoice_ids: Iterable[int]) -> list[tuple[str, str]]:
    query = "select reference, state from record.outbox where invoice_id in (select unnest($ids))"
    return connection.execute(query, {"ids": list(invoice_ids)}).fetchall()


def _erase_rows(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    ids: list[int],
    versions: list[tuple[int, str, str]],
    eraser: Eraser,
) -> None:
    """Take people and texts out of the rows with these Ids, and out of these versions of any row."""
    if not versions and not ids:
        return
    columns = [*entity.text_columns, *(["is_problem"] if entity.text_columns else []), *entity.people_columns]
    wire_names = [entity.contract.columns[column] for column in columns]
    rows = connection.execute(
        f"select id, {', '.join(columns)} from {entity.rows} where id in (select unnest($ids))",  # noqa: S608 - our own
        {"ids": ids},
    ).fetchall()
    as_raw = [msgspec.json.encode(dict(zip(wire_names, row[1:], strict=True))) for row in rows]
    held = eraser.scrubbed(entity, [*(raw.encode() for _, _, raw in versions), *as_raw])
    changes = pl.DataFrame(
        {
            "id": pl.Series([row[0] for row in versions], dtype=pl.Int64),
            "old_hash": pl.Series([row[1] for row in versions], dtype=pl.String),
            "raw": pl.Series([raw.decode() for raw in held[: len(versions)]], dtype=pl.String),
        }
    ).unique(maintain_order=True)
    texts = [msgspec.json.decode(raw) for raw in held[len(versions) :]]
    rest = pl.DataFrame(
        {"id": pl.Series([row[0] for row in rows], dtype=pl.Int64)}
        | {
            column: pl.Series([text.get(entity.contract.columns[column]) for text in texts], dtype=pl.String)
            for column in entity.text_columns
        }
    )
    emptied = ", ".join(f"{column} = null" for column in (*entity.personal_columns, "extra"))
    kept = "".join(f", {column} = held_texts.{column}" for column in entity.text_columns)
    with readable(connection, version_changes=changes, held_texts=rest):
        connection.execute(
            f"update {entity.versions} as versions set raw = changes.raw, content_hash = md5(changes.raw)"  # noqa: S608 - our own
            " from version_changes as changes"
            " where versions.id = changes.id and versions.content_hash = changes.old_hash"
        )
        connection.execute(
            f"update {entity.rows} as landed set {emptied}{kept} from held_texts where landed.id = held_texts.id"  # noqa: S608
        )
        connection.execute(
            f"update {entity.rows} as landed set content_hash = md5(changes.raw) from version_changes as changes"  # noqa: S608
            " where landed.id = changes.id and landed.content_hash = changes.old_hash"
        )


def _erase_rejected(connection: duckdb.DuckDBPyConnection, person: int, eraser: Eraser) -> None:
    for entity, record, _ in _rejected(connection, person):
        held = eraser.without_person(entity, record).raw
        connection.execute(
            "update land.rejected_records set raw = $new, content_hash = md5($new)"
            " where entity = $entity and content_hash = md5($old)",
            {"new": held.decode(), "entity": entity.name, "old": record.raw.decode()},
        )


def let_go(settings: Settings, withhold: Withhold, now: datetime) -> int:
    """Take people and texts out of what NEXUDUS_KEEP_DELETED_DAYS and NEXUDUS_KEEP_VERSIONS_DAYS let go.

    Returns of how many records. Ids, dates and amounts stay, and of the text of a deleted entry what may be published,
    so no figure changes. An entry that comes back has its texts again.
    """
    warehouse, count = warehouse_of(settings), 0
    with open_warehouse(settings) as connection:
        with warehouse.writing_alone(connection):
            for entity in ENTITIES:
                if settings.keep_deleted_days is not None:
                    before = now - timedelta(days=settings.keep_deleted_days)
                    count += _let_deleted_go(connection, entity, before, withhold)
                if settings.keep_versions_days is not None:
                    count += _let_versions_go(connection, entity, now - timedelta(days=settings.keep_versions_days))
        if count and not warehouse.needs_upkeep:  # a lake's upkeep forgets its older states
            warehouse.forget_deleted(connection)
    return count


def _let_deleted_go(connection: duckdb.DuckDBPyConnection, entity: Entity, before: datetime, withhold: Withhold) -> int:
    query = f"select id from {entity.rows} where deleted_at < $before and extra is distinct from '{{}}' order by id"  # noqa: S608 - our own
    ids = [one for (one,) in connection.execute(query, {"before": before}).fetchall()]
    listed = f"select id, content_hash, raw from {entity.versions} where id in (select unnest($ids))"  # noqa: S608 - our own
    versions = connection.execute(listed, {"ids": ids}).fetchall()
    _erase_rows(connection, entity, ids, versions, Eraser(account_key(connection), lambda _: True, withhold))
    done = f"update {entity.rows} set extra = '{{}}' where id in (select unnest($ids))"  # noqa: S608 - our own
    connection.execute(done, {"ids": ids})
    return len(ids)


def _let_versions_go(connection: duckdb.DuckDBPyConnection, entity: Entity, before: datetime) -> int:
    """Not what a row says now, and not twice."""
    wire_names = [entity.contract.columns[column] for column in (*entity.personal_columns, *entity.text_columns)]
    said = ", ".join(f"nullif(nullif(versions.raw ->> '{name}', '{LEFT_OUT}'), '')" for name in wire_names)
    query = (
        f"select versions.id, versions.content_hash, versions.raw from {entity.versions} as versions"  # noqa: S608 - our own
        f" anti join {entity.rows} as landed"
        " on versions.id = landed.id and versions.content_hash = landed.content_hash"
        f" where versions.seen_at < $before and coalesce({said}) is not null limit {_BATCH}"
    )
    eraser, count = Eraser(account_key(connection), lambda _: True, withhold_all), 0
    while versions := connection.execute(query, {"before": before}).fetchall():
        _erase_rows(connection, entity, [], versions, eraser)
        count += len(versions)
    rejected = (
        "update land.rejected_records set raw = '{}' where entity = $entity and seen_at < $before and raw <> '{}'"
    )
    ((emptied,),) = connection.execute(rejected, {"entity": entity.name, "before": before}).fetchall()
    return count + int(emptied)
