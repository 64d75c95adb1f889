"""What the warehouse holds and lacks, in values that a person or a machine can read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import msgspec

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.entity import Entity
from pipelines.extract.windows import Window, gaps
from pipelines.land import ledger
from pipelines.land.entity_tables import for_entity
from pipelines.land.set_aside import IS_GIVEN_UP

STALE_AFTER = timedelta(hours=36)
# Figures are built and published within minutes of what they are made from.
_UNPUBLISHED_FOR = timedelta(hours=2)
_MOST_NAMED = 10


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """The newest landing run. `fewest_data_request_count` is what any reader of the same ranges would have needed."""

    run_id: str
    kind: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    new_count: int | None
    changed_count: int | None
    rejected_count: int | None
    deleted_count: int | None
    data_request_count: int | None
    fewest_data_request_count: int | None
    waited_seconds: float | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage of the history on the UpdatedOn axis, freshness, rows, the last run, and warnings.

    Instants are UTC. `covered_until` is the end of what is closed without a gap from its beginning; `gaps` are the
    [from, to) pairs between the start of the history and the newest closed minute, the `open_minutes` among them those
    that never read consistently. Lateness is `first_seen_at - updated_on` in minutes over the entries first seen in
    the last 30 days after the first run. Of the `rejected_count` records set aside `given_up_count` are not read again
    by themselves. `alarms` are the warnings that somebody should be woken for.
    """

    history_start: datetime
    covered_from: datetime | None
    covered_until: datetime | None
    gaps: list[tuple[datetime, datetime]]
    open_minutes: list[datetime]
    row_count: int
    deleted_count: int
    rejected_count: int
    given_up_count: int
    newest_row_at: datetime | None
    median_lateness_minutes: float | None
    greatest_lateness_minutes: float | None
    last_run: LastRun | None
    reconciled_at: datetime | None
    published_at: datetime | None
    warnings: list[str]
    alarms: list[str]
    invoices: str | None = None


def read_status(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    history_start: datetime,
    published_at: datetime | None,
    now: datetime,
) -> Status:
    """The state of an entity in the warehouse that is the connection's current database, as of `now`."""
    closed = ledger.closed_windows(connection, entity, UPDATED_ON)
    known = Window(history_start, closed[-1].end) if closed else None
    missing = gaps([known], closed) if known else []
    live, deleted, newest = _one(connection, entity, _ROWS)
    median_lateness, greatest_lateness = _one(connection, entity, _LATENESS)
    rejected, given_up, reason, given_up_ids = _one(connection, entity, _SET_ASIDE)
    reconciled_at, missed = _one(connection, entity, _COMPARED)
    last_run = _last_run(connection, entity)
    unread = _all(connection, entity, _OPEN_MINUTES)
    open_minutes = [at.astimezone(UTC) for (at,) in unread if any(at in gap for gap in missing)]
    (unpublished_since,) = _all(connection, entity, _UNPUBLISHED, published_at=published_at)[0]
    alarms = list(_alarms(closed, last_run, published_at, _utc(unpublished_since), now))
    if given_up:
        alarms.append(_given_up(given_up, reason, given_up_ids))
    return Status(
        history_start=history_start,
        covered_from=closed[0].start if closed else None,
        covered_until=closed[0].end if closed else None,
        gaps=[(gap.start, gap.end) for gap in missing],
        open_minutes=open_minutes,
        row_count=live,
        deleted_count=deleted,
        rejected_count=rejected,
        given_up_count=given_up,
        newest_row_at=_utc(newest),
        median_lateness_minutes=median_lateness,
        greatest_lateness_minutes=greatest_lateness,
        last_run=last_run,
        reconciled_at=_utc(reconciled_at),
        published_at=published_at,
        warnings=[*alarms, *_warnings(missing, open_minutes, rejected - given_up, missed, last_run)],
        alarms=alarms,
    )


_ROWS = """
select
    count(*) filter (where deleted_at is null),
    count(deleted_at),
    max(updated_on)
from land.entity_rows
"""
_LATENESS = """
select
    round(median(epoch(first_seen_at - updated_on)) / 60, 1),
    round(max(epoch(first_seen_at - updated_on)) / 60, 1)
from land.entity_rows
where
    first_seen_at > (select min(ended_at) from land.runs where entity = $entity)
    and first_seen_at > (select max(seen_at) from land.entity_rows) - interval 30 days
"""
_SET_ASIDE = f"""
select
    count(*),
    count(*) filter (where {IS_GIVEN_UP}),
    any_value(reason) filter (where {IS_GIVEN_UP}),
    list(id order by id) filter (where {IS_GIVEN_UP} and id is not null)
from land.rejected_records
where entity = $entity
"""  # noqa: S608 - our own words
_COMPARED = """
select
    max(reconciled_at),
    arg_max(missed_count, reconciled_at)
from land.reconciliations
where entity = $entity
"""
_UNPUBLISHED = "select min(first_seen_at) from land.entity_rows where first_seen_at > $published_at"
_OPEN_MINUTES = "select distinct unnest(open_minutes) as minute from land.runs where entity = $entity order by minute"


def _last_run(connection: duckdb.DuckDBPyConnection, entity: Entity) -> LastRun | None:
    names = [field.name for field in msgspec.structs.fields(LastRun)]
    last = f"select {', '.join(names)} from land.runs where entity = $entity order by started_at desc limit 1"  # noqa: S608
    row = next(iter(_all(connection, entity, last)), None)
    if row is None:
        return None
    values: dict[str, Any] = dict(zip(names, row, strict=True))
    values |= {name: _utc(values[name]) for name in ("started_at", "ended_at")}
    return LastRun(**values)


def _utc(instant: datetime | None) -> datetime | None:
    return instant.astimezone(UTC) if instant else None


def _all(connection: duckdb.DuckDBPyConnection, entity: Entity, query: str, **values: object) -> list[tuple[Any, ...]]:
    values |= {"entity": entity.name} if "$entity" in query else {}
    return connection.execute(for_entity(query, entity), values).fetchall()


def _one(connection: duckdb.DuckDBPyConnection, entity: Entity, query: str) -> tuple[Any, ...]:
    return _all(connection, entity, query)[0]


def _alarms(
    closed: list[Window],
    last_run: LastRun | None,
    published_at: datetime | None,
    unpublished_since: datetime | None,
    now: datetime,
) -> Iterator[str]:
    if not closed and last_run and last_run.outcome == "done":
        yield "The API shows no entry yet: if there are some, ask for the roles of `nexudus-billing doctor`."
    elif not closed:
        yield "Nothing has been pulled yet: run `nexudus-billing sync`."
    elif now - closed[-1].end > STALE_AFTER:
        yield f"The newest data is of {closed[-1].end:%Y-%m-%d %H:%M} UTC: run `nexudus-billing sync`."
    if closed and published_at is None:
        yield "Nothing is published yet: run `nexudus-billing sync`."
    elif unpublished_since and now - unpublished_since > _UNPUBLISHED_FOR:
        yield (
            f"What was read since {unpublished_since:%Y-%m-%d %H:%M} UTC is not published: run `nexudus-billing sync`, "
            "which says why."
        )


def _given_up(count: int, reason: str, ids: list[int] | None) -> str:
    named = ", ".join(map(str, (ids or [])[:_MOST_NAMED]))
    more = " and others" if count > len((ids or [])[:_MOST_NAMED]) else ""
    return (
        f"{count} records were given up, for they never kept the API's contract ({reason}; Ids {named or 'unknown'}"
        f"{more}), and are in no figure: save them in Nexudus once more, or tell its support; once they read well, the "
        "next sync has them. All are in land.rejected_records."
    )


def _warnings(
    missing: list[Window], open_minutes: list[datetime], rejected: int, missed: int | None, last_run: LastRun | None
) -> Iterator[str]:
    if missing:
        yield f"{len(missing)} ranges are not pulled yet: the next `nexudus-billing sync` pulls them."
    if open_minutes:
        yield f"{len(open_minutes)} minutes never read consistently and stay open; each sync tries them again."
    if rejected:
        yield f"{rejected} records broke the API's contract and are in no figure; later syncs read them again."
    if missed:
        yield (
            f"The last reconcile landed {missed} records that no sync had seen: if each finds some, raise "
            "NEXUDUS_LOOKBACK_MINUTES."
        )
    if last_run and last_run.outcome != "done":
        yield f"The last run did not end well ({last_run.outcome or 'it was killed, or is still under way'})."
