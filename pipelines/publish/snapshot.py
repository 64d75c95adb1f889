"""One release of the published file, opened for reading by the dashboard, the report and the exports.

A snapshot keeps the file that it opened, also when a new one is published meanwhile.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import duckdb

from pipelines.errors import WrongUseError
from pipelines.foundation.duckdb_errors import quoted
from pipelines.foundation.memory import COPYING, with_memory_limit
from pipelines.publish import releases

Value = Any
T = TypeVar("T")
Row = dict[str, Value]


class NotPublishedError(WrongUseError):
    """There is no published file yet."""


class DamagedFileError(WrongUseError):
    """The published file cannot be read."""


class MissingTableError(WrongUseError):
    """The published file lacks a table or a column: another version of the program made it."""


class Stamp(NamedTuple):
    """What distinguishes one release on disk from the next."""

    device: int
    inode: int
    modified_ns: int
    byte_count: int


class About(NamedTuple):
    """The row of the table `about`. Instants are UTC."""

    release_number: int
    published_at: datetime
    data_as_of_at: datetime | None
    reporting_timezone: str
    covered_from_at: datetime | None
    covered_until_at: datetime | None
    gap_count: int
    entry_count: int
    deleted_entry_count: int
    rejected_record_count: int
    first_entry_at: datetime | None
    last_entry_at: datetime | None
    rules_version: str | None
    program_version: str
    has_personal_data: bool
    business_count: int
    named_business_count: int
    invoice_count: int
    invoices_read_until_at: datetime | None


def stamp(path: Path) -> Stamp | None:
    """The stamp of the file now at this path; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


class Snapshot:
    """An open release. Its views and macros may be anybody's, so no query reaches another file or host.

    The one exception is the folder `writes_to`, for those who export. After `lock_down` no option changes either.
    """

    def __init__(self, path: Path, writes_to: Path | None = None) -> None:
        """Open it. Raises NotPublishedError, DamagedFileError or MissingTableError."""
        self.path, self._writes_to = path, writes_to
        self.stamp = stamp(path)
        if self.stamp is None:
            raise _missing(path)
        self._lock = threading.Lock()
        # Attach the file to a database in memory: `duckdb.connect(path)` would return the release that this process has
        # open already, also after another was published under the same name.
        self._connection = duckdb.connect()
        try:
            self._attach()
            self.tables = [
                name
                for (name,) in self._connection.execute(
                    "select table_name from duckdb_tables() where database_name = 'analytics' order by all"
                ).fetchall()
            ]
            columns = ", ".join(About._fields)
            self.about = About(*self._connection.execute(f"select {columns} from about").fetchall()[0])  # noqa: S608
        except (duckdb.Error, IndexError) as error:
            self._connection.close()
            raise _explained(path, error) from None

    def rows(self, query: str, values: Mapping[str, Value] | None = None, *, macros: str = "") -> list[Row]:
        """The rows of a query. Values are bound as DuckDB variables, never put into the SQL."""
        try:
            with self.cursor() as cursor:
                for name, value in (values or {}).items():
                    cursor.execute(f'set variable "{name}" = $value', {"value": value})
                if macros:
                    cursor.execute(macros)
                answer = cursor.execute(query)
                names = [column[0] for column in answer.description or ()]
                return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
        except duckdb.Error as error:
            raise _explained(self.path, error) from None

    def stream(self, query: str, size: int = 10_000) -> Iterator[list[tuple[Value, ...]]]:
        """The rows of a query, `size` at a time."""
        with self.cursor() as cursor:
            answer = cursor.execute(query)
            while batch := answer.fetchmany(size):
                yield batch

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table and their types."""
        found = self.rows(
            "select column_name, data_type from duckdb_columns()"
            " where database_name = 'analytics' and table_name = getvariable('table') order by column_index",
            {"table": table},
        )
        return {row["column_name"]: row["data_type"] for row in found}

    def names(self, query: str) -> list[str]:
        """The columns of a query's rows."""
        with self.cursor() as cursor:
            return [column[0] for column in cursor.execute(f"describe {query}").fetchall()]

    def copy_to(self, query: str, file: Path, options: str) -> None:
        """Let DuckDB write the rows of a query to a file."""
        with self.cursor() as cursor:
            cursor.execute(f"copy ({query}) to {quoted(str(file.absolute()))} ({options})")

    def with_memory_limit(self, work: Callable[[], T]) -> T:
        """What `work` returns, done in little memory. Not for a snapshot that is locked down."""
        return with_memory_limit(self._connection, self.about.entry_count, work, least_bytes=COPYING)

    def lock_down(self) -> Self:
        """Let no option change from now on."""
        self._connection.execute("set lock_configuration = true")
        return self

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _attach(self) -> None:
        path = str(releases.unchanged(self.path))
        self._connection.execute("set timezone = 'UTC'; set memory_limit = '1GiB'; set threads = 2")
        self._connection.execute(f"set temp_directory = {quoted(f'{path}.tmp')}")
        self._connection.execute(f"attach {quoted(path)} as analytics (type duckdb, read_only); use analytics")
        if self._writes_to:
            self._connection.execute(f"set allowed_directories = [{quoted(str(self._writes_to.absolute()))}]")
        # Before the first query: the file may be anybody's, and its `about` a view that reads other files.
        self._connection.execute("set enable_external_access = false")

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own for one thread."""
        # Two threads must not create a cursor at the same time; everything else they may.
        with self._lock:
            cursor = self._connection.cursor()
        try:
            cursor.execute("use analytics")
            yield cursor
        finally:
            cursor.close()


@contextmanager
def open_published(analytics: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A plain read-only connection to the published file, in UTC. Raises what `open_snapshot` raises."""
    with open_snapshot(analytics) as snapshot, snapshot.lock_down().cursor() as cursor:
        yield cursor


def _missing(path: Path) -> NotPublishedError:
    return NotPublishedError(f"There is no published file at {path} yet: run `nexudus-billing sync`.")


def open_snapshot(path: Path, writes_to: Path | None = None) -> Snapshot:
    """The release that is published now. Raises NotPublishedError, DamagedFileError or MissingTableError."""
    for _ in range(3):
        opened = Snapshot(path, writes_to)
        if opened.stamp == stamp(path):
            return opened
        opened.close()  # another was published between reading the stamp and opening
    return Snapshot(path, writes_to)


def _explained(path: Path, error: Exception) -> WrongUseError:
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException | IndexError):
        reason = str(error).splitlines()[0] if str(error) else "the table about is empty"
        return MissingTableError(
            f"{path} was made by another version of this program ({reason}): run `nexudus-billing sync` to publish it "
            "again."
        )
    if isinstance(error, duckdb.IOException) and not os.access(path, os.R_OK):
        return DamagedFileError(f"{path} cannot be read: check its permissions.")
    return DamagedFileError(
        f"{path} is damaged or not a published file ({str(error).splitlines()[0]}): run `nexudus-billing sync` to "
        f"publish again, or open one of the kept files in {path.stem}.releases."
    )
