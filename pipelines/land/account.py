"""Whose data a warehouse holds: the address it is read from, and entries that no other account has.

One data directory is one account's. Another address is refused unless it is said to be a new one of the same account,
and an account at any address is the same only if it shows an entry that the warehouse holds.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import duckdb

from pipelines.errors import WrongUseError
from pipelines.extract.axes import Filters
from pipelines.extract.entity import Entity, Source
from pipelines.extract.records import Record
from pipelines.foundation.loopback import is_this_machine

_HOW_TO_GO_ON = "Nothing was changed. Each account needs a data directory of its own: set NEXUDUS_DATA_DIR"


class AnotherAccountError(WrongUseError):
    """The API answers for another account than the one whose data the warehouse holds."""


def require_address(
    connection: duckdb.DuckDBPyConnection, base_url: str, now: datetime, *, is_new: bool = False
) -> None:
    """Remember where the warehouse is read from; `is_new` accepts another address than the one remembered.

    Raises AnotherAccountError. The caller opens the transaction.
    """
    host = _host(base_url)
    known = connection.execute("select arg_max(host, remembered_at) from land.account").fetchall()[0][0]
    if known not in {None, host} and not is_new:
        raise AnotherAccountError(
            f"This warehouse holds the account at {known}, and NEXUDUS_BASE_URL is {host}. {_HOW_TO_GO_ON}; or, if the "
            "address of the same account has changed, run `nexudus-billing sync --new-address` once."
        )
    if known != host:
        connection.execute("insert into land.account values ($host, $now)", {"host": host, "now": now})


def require_same(connection: duckdb.DuckDBPyConnection, source: Source, records: Iterable[Record] = ()) -> None:
    """Return if the account shows an entry that the warehouse holds, or if the warehouse holds none.

    `records` are of an answer: where one of them is known, nothing is asked. Raises AnotherAccountError.
    """
    entity = source.entity
    if _knows_one_of(connection, entity, records):
        return
    known = _some_rows(connection, entity)
    for key, row_id, created_on in known:
        found = source.search(Filters(keys=(key,)), size=1000)
        if any((record.id, record.created_on) == (row_id, created_on) for record in found.records):
            return
        if any(record.id == row_id for record in found.rejected):  # that it cannot be read is told elsewhere
            return
    if known:
        raise AnotherAccountError(
            f"None of {len(known)} {entity.noun} of this warehouse that were looked up is in the account that the API "
            f"now shows. {_HOW_TO_GO_ON}; if this is the right account, run `nexudus-billing doctor`: its user "
            f"may lack the role {entity.list_role} or a location."
        )


def _host(base_url: str) -> str:
    """The address, without what differs from one start of a sandbox to the next."""
    parts = urlsplit(base_url)
    return "this machine" if is_this_machine(parts.hostname or "") else parts.netloc.lower()


def _knows_one_of(connection: duckdb.DuckDBPyConnection, entity: Entity, records: Iterable[Record]) -> bool:
    created = {record.id: record.created_on for record in records}
    rows = connection.execute(
        f"select id, created_on from {entity.rows} where id in (select unnest($ids::bigint[]))",  # noqa: S608 - a name of ours
        {"ids": list(created)},
    ).fetchall()
    return any(created[row_id] == _utc(created_on) for row_id, created_on in rows)


def _some_rows(connection: duckdb.DuckDBPyConnection, entity: Entity) -> list[tuple[int, int, datetime | None]]:
    """Keys, Ids and CreatedOn of rows at the end, at the beginning and in between: not all are deleted at once."""
    key = entity.lookup.column
    rows = connection.execute(
        f"""
        with live as (select {key}, id, created_on from {entity.rows} where deleted_at is null)

        from (from live order by created_on desc, id desc limit 1)
        union
        from (from live order by created_on, id limit 1)
        union
        from (from live order by hash(id) limit 1)
        order by created_on desc
        """  # noqa: S608 - names of ours
    ).fetchall()
    return [(key, row_id, _utc(created_on)) for key, row_id, created_on in rows]


def _utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at else None
