"""Names of businesses: from the user's file, else from the API where the role allows. Figures never depend on them."""

import csv
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import duckdb
import msgspec

from pipelines.errors import BrokenPromiseError, WrongUseError

HEADER = ["business_id", "business_name", "time_zone"]
BUSINESSES_PATH = "/api/sys/businesses"
HOW_TO_NAME = (
    "Businesses are shown by id: name them in a CSV file with the header business_id,business_name,time_zone and set "
    "NEXUDUS_BUSINESSES_FILE to it, or grant the API user the role Business-List."
)
# A role that is missing today is missing tomorrow: asking about it costs a login each time.
_ASKED_AGAIN_AFTER = timedelta(days=7)
_PAGE_SIZE = 200
_MOST_PAGES = 50


class BusinessName(msgspec.Struct, frozen=True):
    """A business and what it is called; None where nobody says."""

    business_id: int
    business_name: str | None
    time_zone: str | None


class _Reply(Protocol):
    @property
    def body(self) -> bytes: ...


class Asking(Protocol):
    """The part of the API's client that is needed here."""

    def get(self, path: str, params: Mapping[str, str]) -> _Reply:
        """Ask."""


class _Record(msgspec.Struct, rename="pascal"):
    id: int
    name: str | None = None
    simple_time_zone_id: str | int | None = None


class _Envelope(msgspec.Struct, rename="pascal"):
    records: list[_Record]


def read_names_file(path: Path) -> list[BusinessName]:
    """The names in the user's CSV file (UTF-8). Raises WrongUseError that names the line to mend."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _parsed(path, stream)
    except OSError as error:
        raise WrongUseError(f"NEXUDUS_BUSINESSES_FILE {path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise WrongUseError(f"{path} is not UTF-8: save it as CSV UTF-8.") from None


def ask_for_names(client: Asking) -> list[BusinessName]:
    """The names that the API tells. Raises what the client raises, and BrokenPromiseError for a strange answer."""
    names: dict[int, BusinessName] = {}
    for page in range(1, _MOST_PAGES + 1):
        body = client.get(BUSINESSES_PATH, {"page": str(page), "size": str(_PAGE_SIZE)}).body
        try:
            records = msgspec.json.decode(body, type=_Envelope, strict=False).records
        except msgspec.MsgspecError as error:
            raise BrokenPromiseError(f"The answer about businesses is not the documented one ({error}).") from None
        new = [record for record in records if record.id not in names]
        names |= {one.id: BusinessName(one.id, _text(one.name), _text(one.simple_time_zone_id)) for one in new}
        # A server that does not know `page` answers the first one for ever.
        if not new or len(records) < _PAGE_SIZE:
            break
    return list(names.values())


def is_due(connection: duckdb.DuckDBPyConnection, now: datetime) -> bool:
    """Whether the API should be asked: there is a business that nobody has been asked about for a week."""
    since = now - _ASKED_AGAIN_AFTER
    (unknown,) = connection.execute(
        """
        select count(*)
        from (
            select distinct coworker_invoice_business_id as business_id from land.coworker_invoice_histories
        ) as businesses
        anti join (select * from land.business_names where asked_at > ?) as names using (business_id)
        where businesses.business_id is not null
        """,
        [since],
    ).fetchall()[0]
    return bool(unknown)


def store_names(
    connection: duckdb.DuckDBPyConnection, names: Iterable[BusinessName], source: str, now: datetime
) -> int:
    """Replace the names that came from `source`; returns how many businesses of the history are named now.

    A business that the source does not name is remembered as asked for, so that it is not asked for at each run.
    """
    rows = [(name.business_id, name.business_name, name.time_zone, source, now) for name in names]
    connection.execute("begin")
    try:
        connection.execute("delete from land.business_names")
        if rows:
            connection.executemany("insert into land.business_names values (?, ?, ?, ?, ?)", rows)
        connection.execute(
            """
            insert into land.business_names (business_id, name_source, asked_at)
            select distinct coworker_invoice_business_id, ?, ?::timestamptz
            from land.coworker_invoice_histories
            where
                coworker_invoice_business_id is not null
                and coworker_invoice_business_id not in (select business_id from land.business_names)
            """,
            [source, now],
        )
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return named_count(connection)


def named_count(connection: duckdb.DuckDBPyConnection) -> int:
    """How many businesses have a name."""
    (count,) = connection.execute("select count(business_name) from land.business_names").fetchall()[0]
    return int(count)


def _parsed(path: Path, lines: Iterable[str]) -> list[BusinessName]:
    reader = csv.reader(lines)
    header = [cell.strip() for cell in next(reader, [])]
    if header not in (HEADER, HEADER[:2]):
        raise WrongUseError(f"{path}:1: the header must read {','.join(HEADER)}.")
    names: dict[int, BusinessName] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        business_id, name, zone = [cell.strip() for cell in [*cells, "", ""][:3]]
        if not business_id.isdecimal() or int(business_id) >= 2**63:
            raise WrongUseError(f"{path}:{reader.line_num}: business_id {business_id!r} is not a whole number.")
        if int(business_id) in names:
            raise WrongUseError(f"{path}:{reader.line_num}: business {business_id} is named twice.")
        names[int(business_id)] = BusinessName(int(business_id), name or None, zone or None)
    return list(names.values())


def _text(value: str | int | None) -> str | None:
    return None if value is None or not str(value).strip() else str(value).strip()
