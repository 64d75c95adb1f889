"""Answers into the warehouse: rows, versions and rejected records, in the transaction of their ledger entries.

Order-free and idempotent: pages may come in any order, any number of times, and end in the same table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import duckdb
import msgspec
import polars as pl
from msgspec import inspect

from pipelines.extract.records import FIELD_NAMES, HistoryRecord, RejectedRecord
from pipelines.foundation.frames import readable
from pipelines.foundation.sql_files import sql_folder

_INSTANT = pl.Datetime("us", "UTC")
_TYPES: Mapping[type, pl.DataType | type[pl.DataType]] = {
    inspect.IntType: pl.Int64,
    inspect.StrType: pl.String,
    inspect.BoolType: pl.Boolean,
    inspect.DateTimeType: _INSTANT,
    inspect.DecimalType: pl.Decimal(18, 4),
    inspect.RawType: pl.String,
}


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
    """What one answer says, and when it said so."""

    records: Sequence[HistoryRecord]
    rejected: Sequence[RejectedRecord]
    seen_at: datetime


@dataclass
class _Rows:
    """What some answers say, one content an Id, and when each was first and last said, in microseconds since 1970."""

    records: dict[int, HistoryRecord] = field(default_factory=dict)
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


def land_pages(connection: duckdb.DuckDBPyConnection, pages: Iterable[Page]) -> RowCounts:
    """Merge some answers in their order; the caller opens the transaction and writes the ledger in it."""
    counts = RowCounts()
    rows = _Rows()
    rejected: list[tuple[RejectedRecord, datetime]] = []
    for page in pages:
        if not rows.take(page):
            counts += _land(connection, rows)
            rows = _Rows()
            rows.take(page)
        rejected += [(record, page.seen_at) for record in page.rejected]
    counts += _land(connection, rows)
    if rejected:
        with readable(connection, rejected_page=_rejected_frame(rejected)):
            connection.execute(_sql("rejected"))
    return counts._replace(rejected=len(rejected))


def _land(connection: duckdb.DuckDBPyConnection, rows: _Rows) -> RowCounts:
    if not rows.records:
        return RowCounts()
    page = _frame(rows)
    with readable(connection, page=page, page_ids=page["id"].to_frame()):
        connection.execute(_sql("1_known"))
        connection.execute(_sql("2_seen"))
    connection.execute(_sql("3_observed"))
    ((new, changed, unchanged, late),) = connection.execute(_sql("4_counts")).fetchall()
    # Each of these reads or writes a table, and most answers of a first sync need the first two alone.
    for statement, count in (
        ("5_new_rows", new),
        ("6_new_versions", new),
        ("7_outdated_rows", changed),
        ("8_changed_rows", changed),
        ("9_changed_versions", changed),
        ("10_unchanged_rows", unchanged),
        ("11_late_rows", late),
        ("12_late_versions", late),
    ):
        if count:
            connection.execute(_sql(statement))
    return RowCounts(new, changed, unchanged + late + rows.repeat_count)


@cache
def _sql(name: str) -> str:
    return (sql_folder("land") / "merge" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _schema() -> dict[str, Any]:
    """Column name → polars type of every documented field, from the record's own annotations."""
    return {
        field.name: next(
            _TYPES[type(part)] for part in getattr(field.type, "types", (field.type,)) if type(part) in _TYPES
        )
        for field in inspect.type_info(HistoryRecord).fields  # type: ignore[attr-defined]
        if field.name in FIELD_NAMES
    }


def _frame(rows: _Rows) -> pl.DataFrame:
    fields = zip(*map(msgspec.structs.astuple, rows.records.values()), strict=True)
    values = dict(zip(HistoryRecord.__struct_fields__, fields, strict=True))
    columns = {name: _column(values[name], dtype) for name, dtype in _schema().items()}
    columns["has_updated_on"] = pl.Series(values["has_updated_on"], dtype=pl.Boolean)
    columns["extra"] = pl.Series([extra and extra.decode() for extra in values["extra"]], dtype=pl.String)
    columns["raw"] = pl.Series(values["raw"], dtype=pl.Binary).cast(pl.String)
    columns["first_seen_at"] = pl.Series(rows.first_seen_at.values(), dtype=pl.Int64).cast(_INSTANT)
    columns["seen_at"] = pl.Series(rows.seen_at.values(), dtype=pl.Int64).cast(_INSTANT)
    return pl.DataFrame(columns)


def _column(values: Sequence[Any], dtype: Any) -> pl.Series:  # noqa: ANN401 - of polars' two kinds of types
    """Values of one field. polars takes instants and decimals one by one; as numbers and texts they are far faster."""
    if isinstance(dtype, pl.Datetime):
        return _instants(values)
    if isinstance(dtype, pl.Decimal):
        return pl.Series([None if value is None else f"{value:f}" for value in values], dtype=pl.String).cast(dtype)
    if values and isinstance(values[0], msgspec.Raw):
        values = [_json_text(value) for value in values]
    return pl.Series(values, dtype=dtype)


def _instants(values: Iterable[datetime | None]) -> pl.Series:
    microseconds = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
    return pl.Series(microseconds, dtype=pl.Int64).cast(_INSTANT)


def _rejected_frame(rejected: Sequence[tuple[RejectedRecord, datetime]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "id": pl.Series([record.id for record, _ in rejected], dtype=pl.Int64),
            "reason": [record.reason for record, _ in rejected],
            "raw": [record.raw.decode(errors="replace") for record, _ in rejected],
            "seen_at": _instants([seen_at for _, seen_at in rejected]),
        }
    )
    return frame.unique("raw", keep="first", maintain_order=True)


def _json_text(value: msgspec.Raw) -> str | None:
    text = bytes(value)
    return None if text == b"null" else text.decode()
