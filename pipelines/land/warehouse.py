"""The warehouse: where landed rows and figures are kept, in a DuckDB file or in a DuckLake.

What both kinds share is here: opening, waiting, the tables. What only one does is in its class, and nobody else asks
which one it is.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import duckdb

from pipelines.errors import PipelineError, TryAgainLaterError
from pipelines.foundation.duckdb_errors import first_sentence, holder_of_file, is_full_disk
from pipelines.foundation.private_files import created_private, make_private_folder
from pipelines.land.lake import Lake
from pipelines.land.layout import bring_up_to_date, require_up_to_date
from pipelines.land.warehouse_file import WarehouseFile
from pipelines.settings import Settings

_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.25
NO_LIMITS: Mapping[str, str | int] = {}
LANDING: Mapping[str, str | int] = {"memory_limit": "96MiB", "threads": 1}
"""DuckDB's limits while answers land, however large the warehouse. More memory would only be a cache, and a page of a
thousand rows keeps one thread busy."""

WritingAlone = Callable[[duckdb.DuckDBPyConnection], AbstractContextManager[None]]
"""A transaction on an open warehouse that no other process's falls between."""


class Warehouse(Protocol):
    """One kind of warehouse: how it is opened and written to, and what to say where that fails."""

    @property
    def name(self) -> str:
        """Where it is, as a person may be shown it: without a password."""

    @property
    def folders(self) -> list[Path]:
        """Folders of this machine that it needs."""

    @property
    def senders_lock(self) -> Path:
        """The file whose lock keeps two senders of history entries apart, on this machine."""

    @property
    def is_shared(self) -> bool:
        """Whether other machines may write to it too, which see no lock of this one."""

    @property
    def needs_upkeep(self) -> bool:
        """Whether `keep_up` has anything to do."""

    def exists(self) -> bool:
        """Whether there may be something to open; of a lake only opening it can tell."""

    def connection(self, limits: Mapping[str, str | int]) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection to which the warehouse can be attached. `limits` are DuckDB's settings for a file."""

    def attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        """Attach it as `warehouse`. Raises duckdb.Error."""

    def may_open_soon(self) -> bool:
        """Whether what keeps it from being opened may pass by itself, though nobody holds it."""

    def refusal(self, error: duckdb.Error) -> PipelineError:
        """What to tell the person for whom it could not be attached."""

    def begin_writing(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make `writing_alone` work on a connection that it is attached to."""

    def writing_alone(self, connection: duckdb.DuckDBPyConnection) -> AbstractContextManager[None]:
        """A transaction that no other process's falls between. Raises TryAgainLaterError where no turn comes."""

    def end_writing(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What is done before a connection that wrote is closed."""

    def forget_deleted(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write everything anew, so that no file of it has a trace of what was deleted. The last thing done with it."""

    def keep_up(self, connection: duckdb.DuckDBPyConnection, keep: timedelta) -> None:
        """Bring the files of it into order, and forget its states older than `keep`."""


def warehouse_of(settings: Settings) -> Warehouse:
    """The warehouse that NEXUDUS_WAREHOUSE names."""
    return Lake(settings) if settings.warehouse_path.startswith("ducklake:") else WarehouseFile(settings)


@contextmanager
def open_warehouse(
    settings: Settings,
    *,
    read_only: bool = False,
    wait_seconds: float = _WAIT_SECONDS,
    limits: Mapping[str, str | int] = NO_LIMITS,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose current database is the warehouse, made with its tables where it is missing.

    Times are UTC; `getvariable('reporting_timezone')` names the zone of the figures. `limits` are DuckDB's
    settings for a file: what needs more memory goes to disk, beside it. Raises TryAgainLaterError naming the process
    that holds the file, or when the disk takes no more; WrongUseError when the folder or file cannot be used, or when
    another version made it: what an older one made is brought up to date when it is opened for writing.
    """
    warehouse = warehouse_of(settings)
    if not read_only:
        for folder in warehouse.folders:
            make_private_folder(folder)
    with created_private(), _full_disk_explained(), warehouse.connection(limits) as connection:
        _attach(connection, warehouse, read_only=read_only, wait_seconds=wait_seconds)
        connection.execute("use warehouse")
        connection.execute("set timezone = 'UTC'")
        connection.execute("set enable_progress_bar = false")  # DuckDB draws it on stdout, between the output
        connection.execute("set variable reporting_timezone = $zone", {"zone": settings.reporting_timezone})
        if read_only:
            require_up_to_date(connection)
        else:
            warehouse.begin_writing(connection)
            with warehouse.writing_alone(connection):
                bring_up_to_date(connection)
        yield connection
        if not read_only:
            warehouse.end_writing(connection)


@contextmanager
def _full_disk_explained() -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if not is_full_disk(error):
            raise
        raise TryAgainLaterError(
            f"The warehouse cannot be written ({first_sentence(error)}): make room on its disk and run the "
            "command again; what was landed before is kept."
        ) from None


def _attach(
    connection: duckdb.DuckDBPyConnection, warehouse: Warehouse, *, read_only: bool, wait_seconds: float
) -> None:
    give_up_at = time.monotonic() + wait_seconds
    while True:
        try:
            warehouse.attach(connection, read_only=read_only)
        except duckdb.Error as error:
            holder = holder_of_file(error)
            if (holder or warehouse.may_open_soon()) and time.monotonic() <= give_up_at:
                time.sleep(_POLL_SECONDS)
                continue
            if holder is None:
                raise warehouse.refusal(error) from None
            raise TryAgainLaterError(
                f"The warehouse {warehouse.name} is held by {holder}: run the command again when that has ended."
            ) from None
        return
