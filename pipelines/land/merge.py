"""One answer into the warehouse: rows, versions, rejected records and the ledger entry, in one transaction.

Order-free and idempotent: pages may come in any order, any number of times, and end in the same table.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import duckdb
import msgspec
import polars as pl
from msgspec import inspect

from pipelines.extract.records import FIELD_NAMES, HistoryRecord, RejectedRecord
from pipelines.frames import readable
from pipelines.sql_files import sql_folder

_TYPES: Mapping[type, pl.DataType | type[pl.DataType]] = {
    inspect.IntType: pl.Int64,
    inspect.StrType: pl.String,
    inspect.BoolType: pl.Boolean,
    inspect.DateTimeType: pl.Datetime("us", "UTC"),
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


def land_page(
    connection: duckdb.DuckDBPyConnection,
    records: Sequence[HistoryRecord],
    rejected: Sequence[RejectedRecord],
    seen_at: datetime,
) -> RowCounts:
    """Merge the records of one answer; the caller opens the transaction and writes the ledger in it."""
    counts = RowCounts()
    if records:
        page = _frame(records, seen_at)
        with readable(connection, page=page, page_ids=page.select("id")):
            connection.execute(_sql("1_known"))
            connection.execute(_sql("2_seen"))
        connection.execute(_sql("3_observed"))
        ((new, changed, unchanged, late),) = connection.execute(_sql("4_counts")).fetchall()
        counts = RowCounts(new, changed, unchanged + late)
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
    if rejected:
        with readable(connection, rejected_page=_rejected_frame(rejected, seen_at)):
            connection.execute(_sql("rejected"))
    return counts._replace(rejected=len(rejected))


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


def _frame(records: Sequence[HistoryRecord], seen_at: datetime) -> pl.DataFrame:
    # An Id twice in one answer is one row: the later in time, or in place, counts.
    newest = {record.id: record for record in sorted(records, key=attrgetter("touched_at"))}
    fields = zip(*map(msgspec.structs.astuple, newest.values()), strict=True)
    values = dict(zip(HistoryRecord.__struct_fields__, fields, strict=True))
    columns = {name: _column(values[name], dtype) for name, dtype in _schema().items()}
    columns["has_updated_on"] = pl.Series(values["has_updated_on"], dtype=pl.Boolean)
    columns["extra"] = pl.Series([extra and extra.decode() for extra in values["extra"]], dtype=pl.String)
    columns["raw"] = pl.Series([raw.decode() for raw in values["raw"]], dtype=pl.String)
    return pl.DataFrame(columns).with_columns(_seen(seen_at))


def _column(values: Sequence[Any], dtype: Any) -> pl.Series:  # noqa: ANN401 - of polars' two kinds of types
    """Values of one field. polars takes instants and decimals one by one; as numbers and texts they are far faster."""
    if isinstance(dtype, pl.Datetime):
        microseconds = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
        return pl.Series(microseconds, dtype=pl.Int64).cast(dtype)
    if isinstance(dtype, pl.Decimal):
        return pl.Series([None if value is None else f"{value:f}" for value in values], dtype=pl.String).cast(dtype)
    if values and isinstance(values[0], msgspec.Raw):
        values = [_json_text(value) for value in values]
    return pl.Series(values, dtype=dtype)


def _rejected_frame(rejected: Sequence[RejectedRecord], seen_at: datetime) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "id": pl.Series([r.id for r in rejected], dtype=pl.Int64),
            "reason": [r.reason for r in rejected],
            "raw": [r.raw.decode(errors="replace") for r in rejected],
        }
    )
    return frame.with_columns(_seen(seen_at))


def _seen(seen_at: datetime) -> pl.Expr:
    return pl.lit(seen_at, dtype=pl.Datetime("us", "UTC")).alias("seen_at")


def _json_text(value: msgspec.Raw) -> str | None:
    text = bytes(value)
    return None if text == b"null" else text.decode()
