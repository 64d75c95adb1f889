"""Records set aside: their minutes are read again until they read well, are gone, or were tried often enough."""

from collections.abc import Iterable
from datetime import UTC, datetime

import duckdb

from pipelines.errors import BrokenPromiseError
from pipelines.extract.entity import Entity
from pipelines.extract.windows import Window, merge

MOST_TRIES = 10
IS_GIVEN_UP = f"(try_count >= {MOST_TRIES} or from_at is null)"
"""The SQL condition for records of `land.rejected_records` that no sync reads again by itself."""

_MOST_RANGES = 20
# At twice the age of the last try, at least once a week: ten tries take a month of hourly syncs, seven weeks of daily.
_IS_DUE = f"""
entity = $entity
and not {IS_GIVEN_UP}
and tried_at + least(tried_at - first_seen_at, interval 7 days) <= $now
"""


class UnreadablePageError(BrokenPromiseError):
    """Of a whole page not one record could be read: too much to go on without."""


def due_ranges(connection: duckdb.DuckDBPyConnection, entity: Entity, now: datetime, page_size: int) -> list[Window]:
    """What of UpdatedOn to read again by now: ranges of about a page, for most records have neighbours set aside."""
    rows = connection.execute(
        f"""
        with
        due as (select distinct from_at, to_at from land.rejected_records where {_IS_DUE}),

        held as (
            select from_at as lies_at from due
            union all
            select updated_on from {entity.rows} where exists (select 1 from due)
        ),

        numbered as (select lies_at, row_number() over (order by lies_at) as place from held)

        select
            min(due.from_at),
            max(due.to_at)
        from due
        asof inner join numbered on due.from_at >= numbered.lies_at
        group by numbered.place // $page_size
        """,  # noqa: S608 - our own words
        {"entity": entity.name, "now": now, "page_size": page_size},
    ).fetchall()
    return merge(Window(start.astimezone(UTC), end.astimezone(UTC)) for start, end in rows)[:_MOST_RANGES]


def settle(
    connection: duckdb.DuckDBPyConnection, entity: Entity, read: Iterable[Window], began: datetime | None, now: datetime
) -> None:
    """Forget records that read well by now, or are not in their minutes any more, and count a try of the others due.

    `read` was read completely since `began`. The caller opens the transaction.
    """
    windows = list(read)
    connection.execute(
        f"""
        update land.rejected_records
        set try_count = try_count + 1, tried_at = $now
        where
            {_IS_DUE}
            and exists (
                select 1
                from (select unnest($starts::timestamptz[]) as start_at, unnest($ends::timestamptz[]) as end_at) as read
                where read.start_at <= from_at and to_at <= read.end_at
            )
        """,  # noqa: S608 - our own words
        {
            "entity": entity.name,
            "now": now,
            "starts": [window.start for window in windows],
            "ends": [window.end for window in windows],
        },
    )
    connection.execute(
        f"""
        delete from land.rejected_records as aside
        where
            aside.entity = $entity
            and (
                (aside.tried_at = $now and aside.seen_at < $began)
                or aside.id in (select landed.id from {entity.rows} as landed where landed.seen_at > aside.seen_at)
            )
        """,  # noqa: S608 - our own words
        {"entity": entity.name, "now": now, "began": began},
    )


def require_pages_read(connection: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    """Raise UnreadablePageError where not one record of a page could be read, and they are not given up yet."""
    ((count, reason),) = connection.execute(
        f"""
        select count(*), any_value(reason)
        from land.rejected_records
        where entity = $entity and fills_page and not {IS_GIVEN_UP}
        """,  # noqa: S608 - our own words
        {"entity": entity.name},
    ).fetchall()
    if count:
        raise UnreadablePageError(
            f"{count} {entity.noun} that fill whole pages do not keep the API's contract ({reason}). All else was "
            "landed, and nothing was published. The API may have changed: look for a newer version. Later syncs read "
            f"them again, {MOST_TRIES} times at most, and then go on without them."
        )
