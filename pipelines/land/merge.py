"""Answers into the warehouse: rows, versions and rejected records, in the transaction of their ledger entries.

Order-free and idempotent: pages may come in any order, any number of times, and end in the same table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

import duckdb
import msgspec
import polars as pl

from pipelines.extract.entity import Entity
from pipelines.extract.records import Record, RejectedRecord
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.foundation.frames import FRAME_TYPES, INSTANT, readable
from pipelines.land.entity_tables import field_types, merge_sql
from pipelines.land.erased_people import Eraser, Withhold, account_key, erased_hashes, keyed_hash, withhold_all

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RowCounts(NamedTuple):
    """What landing an answer did: rows by outcome."""

    new: int = 0
    changed: int = 0
    same: int = 0
    rejected: int = 0

    def __add__(self, other: object) -> "RowCounts":
        """Counts of both."""
        if not isinstance(other, RowCounts):
            return NotImplemented
        return RowCounts(*(a + b for a, b in zip(self, other, strict=True)))


class Page(NamedTuple):
    """What one answer says, and when it said so.

    `shown` are the minutes of UpdatedOn that its records lie in, if known; `is_full` says that it may not be all.
    """

    records: Sequence[Record]
    rejected: Sequence[RejectedRecord]
    seen_at: datetime
    shown: Window | None = None
    is_full: bool = False


@dataclass
class _Rows:
    """What some answers say, one content an Id, and when each was first and last said, in microseconds since 1970."""

    records: dict[int, Record] = field(default_factory=dict)
    first_seen_at: dict[int, int] = field(default_factory=dict)
    seen_at: dict[int, int] = field(default_factory=dict)
    repeat_count: int = 0

    def take(self, page: Page) -> bool:
        """Add what an answer says. Not if it has another content of an Id, which has to find the first one landed."""
        # An Id twice in one answer is one row: the later in time, or in place, counts.
        newest = {record.id: record for record in sorted(page.records, key=attrgetter("updated_on"))}
        again = self.records.keys() & newest.keys()
        if any(self.records[one].raw != newest[one].raw for one in again):
            return False
        seen_at = (page.seen_at - _EPOCH) // _MICROSECOND
        now = dict.fromkeys(newest, seen_at)
        self.first_seen_at |= now | {one: min(self.first_seen_at[one], seen_at) for one in again}
        self.seen_at |= now | {one: max(self.seen_at[one], seen_at) for one in again}
        self.records |= newest
        self.repeat_count += len(again)
        return True


def land_pages(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    pages: Iterable[Page],
    withhold: Withhold = withhold_all,
) -> RowCounts:
    """Merge answers about an entity in their order; the caller opens the transaction and writes the ledger in it.

    What is about people who were erased lands without their personal fields; `withhold` says what stays of its texts.
    """
    pages = _without_erased_people(connection, entity, pages, withhold)
    counts = RowCounts()
    rows = _Rows()
    rejected: list[tuple[RejectedRecord, Page]] = []
    for page in pages:
        if not rows.take(page):
            counts += _land(connection, entity, rows)
            rows = _Rows()
            rows.take(page)
        rejected += [(record, page) for record in page.rejected]
    counts += _land(connection, entity, rows)
    if rejected:
        with readable(connection, rejected_page=_rejected_frame(entity, rejected)):
            connection.execute(merge_sql("rejected", entity))
    return counts._replace(rejected=len(rejected))


def _without_erased_people(
    connection: duckdb.DuckDBPyConnection, entity: Entity, pages: Iterable[Page], withhold: Withhold
) -> Iterable[Page]:
    erased = erased_hashes(connection) if entity.person_column else frozenset()
    if not erased:
        return pages
    key = account_key(connection)
    eraser = Eraser(key, lambda person: keyed_hash(key, person) in erased, withhold)
    return [
        page._replace(
            records=eraser.without_people(entity, page.records),
            rejected=[eraser.without_person(entity, rejected) for rejected in page.rejected],
        )
        for page in pages
    ]


def _land(connection: duckdb.DuckDBPyConnection, entity: Entity, rows: _Rows) -> RowCounts:
    if not rows.records:
        return RowCounts()
    page = _frame(entity, rows)
    with readable(connection, page=page, page_ids=page["id"].to_frame()):
        connection.execute(merge_sql("known", entity))
        connection.execute(merge_sql("seen", entity))
    connection.execute(merge_sql("observed", entity))
    ((new, changed, unchanged, late),) = connection.execute(merge_sql("counts", entity)).fetchall()
    # Each of these reads or writes a table, and most answers of a first sync need the first two alone.
    for statement, count in (
        ("new_rows", new),
        ("new_versions", new),
        ("outdated_rows", changed),
        ("changed_rows", changed),
        ("changed_versions", changed),
        ("unchanged_rows", unchanged),
        ("late_rows", late),
        ("late_versions", late),
    ):
        if count:
            connection.execute(merge_sql(statement, entity))
    return RowCounts(new, changed, unchanged + late + rows.repeat_count)


def record_columns(entity: Entity, records: Iterable[Record]) -> dict[str, pl.Series]:
    """What some records say, as columns of the table of rows. There must be one record at least."""
    record = entity.contract.record
    fields = zip(*map(msgspec.structs.astuple, records), strict=True)
    values = dict(zip(record.__struct_fields__, fields, strict=True))
    columns = {name: _column(values[name], FRAME_TYPES[kind]) for name, kind in field_types(record).items()}
    columns["has_updated_on"] = pl.Series(values["has_updated_on"], dtype=pl.Boolean)
    columns["extra"] = pl.Series([extra and extra.decode() for extra in values["extra"]], dtype=pl.String)
    return columns


def _frame(entity: Entity, rows: _Rows) -> pl.DataFrame:
    columns = record_columns(entity, rows.records.values())
    columns["raw"] = pl.Series([record.raw for record in rows.records.values()], dtype=pl.Binary).cast(pl.String)
    columns["first_seen_at"] = pl.Series(rows.first_seen_at.values(), dtype=pl.Int64).cast(INSTANT)
    columns["seen_at"] = pl.Series(rows.seen_at.values(), dtype=pl.Int64).cast(INSTANT)
    return pl.DataFrame(columns)


def _column(values: Sequence[Any], dtype: Any) -> pl.Series:  # noqa: ANN401 - of polars' two kinds of types
    """Values of one field. polars takes instants and decimals one by one; as numbers and texts they are far faster."""
    if isinstance(dtype, pl.Datetime):
        return _instants(values)
    if isinstance(dtype, pl.Decimal):
        return pl.Series([None if value is None else f"{value:f}" for value in values], dtype=pl.String).cast(dtype)
    if values and isinstance(values[0], msgspec.Raw):
        texts = [None if (text := bytes(value)) == b"null" else text for value in values]
        return pl.Series(texts, dtype=pl.Binary).cast(dtype)
    return pl.Series(values, dtype=dtype)


def _instants(values: Iterable[datetime | None]) -> pl.Series:
    microseconds = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
    return pl.Series(microseconds, dtype=pl.Int64).cast(INSTANT)


def _rejected_frame(entity: Entity, rejected: Sequence[tuple[RejectedRecord, Page]]) -> pl.DataFrame:
    """A row a record: those of one Id, or without one of the same content, are one record."""
    ranges = [_range_of(record, page) for record, page in rejected]
    frame = pl.DataFrame(
        {
            "entity": entity.name,
            "id": pl.Series([record.id for record, _ in rejected], dtype=pl.Int64),
            "reason": [record.reason for record, _ in rejected],
            "raw": [record.raw.decode(errors="replace") for record, _ in rejected],
            "seen_at": _instants([page.seen_at for _, page in rejected]),
            "from_at": _instants([window and window.start for window in ranges]),
            "to_at": _instants([window and window.end for window in ranges]),
            "fills_page": [page.is_full and not page.records for _, page in rejected],
        }
    )
    return frame.unique(pl.coalesce(pl.col("id").cast(pl.String), "raw"), keep="last", maintain_order=True)


def _range_of(record: RejectedRecord, page: Page) -> Window | None:
    """The minutes to read again for a record: its own where its UpdatedOn can be read."""
    at = record.updated_on
    if at is None or (page.shown and at not in Window(page.shown.start, page.shown.end + MINUTE)):
        return page.shown
    return Window(floor_minute(at), floor_minute(at) + MINUTE)
