"""The warehouse: where landed rows and figures are kept, in a DuckDB file or in a DuckLake.

A file has one writer at a time; a second one waits, then says who. Writers to a lake take turns (see `lake`).
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import duckdb

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.extract.entity import Entity
from pipelines.foundation.sql_files import sql_folder
from pipelines.land import checkpoints, lake
from pipelines.land.entity_tables import ENTITIES, create_entity_tables
from pipelines.settings import Settings

SCHEMAS = ("land", "model", "record")
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.25
_DISK_TAKES_NO_MORE = ("No space left on device", "File too large", "Disk quota exceeded", "Could not write")
# The raw JSON of a version is about a kilobyte. DuckDB compresses a row group in memory, and its own size of 122,880
# rows would be 120 MB at each checkpoint, two of them at times.
_ROWS_PER_GROUP = 16_384
NO_LIMITS: Mapping[str, str | int] = {}
LANDING: Mapping[str, str | int] = {"memory_limit": "96MiB", "threads": 1}
"""DuckDB's limits while answers land, however large the warehouse. More memory would only be a cache, and a page of a
thousand rows keeps one thread busy."""


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
    that holds the file, or when the disk takes no more; WrongUseError when the folder or file cannot be used.
    """
    if not read_only:
        for folder in lake.folders(settings) if settings.is_lake else [Path(settings.warehouse_path).parent]:
            make_private_folder(folder)
    with _full_disk_told(), _file_or_lake(settings, limits) as connection:
        _attach(connection, settings, read_only=read_only, wait_seconds=wait_seconds)
        connection.execute("use warehouse")
        connection.execute("set timezone = 'UTC'")
        connection.execute("set enable_progress_bar = false")  # DuckDB draws it on stdout, amid what was asked for
        connection.execute("set variable reporting_timezone = $zone", {"zone": settings.reporting_timezone})
        if not read_only:
            if settings.is_lake:
                lake.stand_in_line(connection, settings)
            else:
                Path(settings.warehouse_path).chmod(0o600)
                connection.execute("set variable warehouse_file = $file", {"file": str(_real_file(settings))})
            with writing_alone(connection):
                create_tables(connection)
        yield connection
        if file := _file_of(connection):
            checkpoints.checkpoint(connection, file)


def warehouse_name(settings: Settings) -> str:
    """What a person may be told of where the warehouse is: a lake's connection string without its password."""
    return lake.without_password(settings.warehouse_path)


def warehouse_exists(settings: Settings) -> bool:
    """Whether there is a warehouse to open; of a lake only opening it can tell."""
    return settings.is_lake or Path(settings.warehouse_path).exists()


def create_tables(connection: duckdb.DuckDBPyConnection, entities: Iterable[Entity] = ENTITIES) -> None:
    """Make the schemas, the landing tables and the outbox in the current database where they are missing."""
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    for entity in entities:
        create_entity_tables(connection, entity)
    for file in sorted([*sql_folder("land").glob("*.sql"), *(sql_folder("record") / "tables").glob("*.sql")]):
        connection.execute(file.read_text(encoding="utf-8"))


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of it or nothing."""
    try:
        connection.execute("begin")
        yield
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # after a full disk there is no transaction left, and the reason matters more
            connection.execute("rollback")
        raise


@contextmanager
def writing_alone(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A transaction on the warehouse that no other process's falls between, on a lake too.

    Raises TryAgainLaterError where its turn does not come.
    """
    if file := _file_of(connection):
        with transaction(connection):
            yield
        checkpoints.keep_log_short(connection, file)
    else:
        with lake.turn(connection), transaction(connection):
            yield


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter. Raises WrongUseError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WrongUseError(f"The folder {folder} cannot be made ({error.strerror}): set NEXUDUS_DATA_DIR.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WrongUseError(f"The folder {folder} cannot be written to: set NEXUDUS_DATA_DIR or mend its permissions.")


@contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if not any(words in str(error) for words in _DISK_TAKES_NO_MORE):
            raise
        raise TryAgainLaterError(
            f"The warehouse cannot be written ({_first_sentence(error)}): make room on its disk and run the "
            "command again; what was landed before is kept."
        ) from None


@contextmanager
def _file_or_lake(settings: Settings, limits: Mapping[str, str | int]) -> Iterator[duckdb.DuckDBPyConnection]:
    if settings.is_lake:
        with lake.lake_connection(settings) as connection:
            yield connection
        return
    with duckdb.connect(config={"temp_directory": f"{settings.warehouse_path}.tmp", **limits}) as connection:
        connection.execute("set checkpoint_threshold = '1TB'; pragma disable_checkpoint_on_shutdown")  # see checkpoints
        yield connection


def _file_of(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """The file that a connection may write the warehouse to, if it is one."""
    ((path,),) = connection.execute("select getvariable('warehouse_file')").fetchall()
    return Path(path) if path else None


def _attach(connection: duckdb.DuckDBPyConnection, settings: Settings, *, read_only: bool, wait_seconds: float) -> None:
    name = warehouse_name(settings)
    if settings.is_lake:
        statement = lake.attach_statement(settings, read_only=read_only)
    else:
        options = "read_only" if read_only else f"row_group_size {_ROWS_PER_GROUP}"
        statement = f"attach {lake.quoted(settings.warehouse_path)} as warehouse ({options})"
    give_up_at = time.monotonic() + wait_seconds
    while (error := _attempt(connection, settings, statement)) is not None:
        holder = _holder(str(error))
        may_pass = holder is not None or _is_unfinished(settings)
        if not may_pass or time.monotonic() > give_up_at:
            if holder is None:
                raise _refusal(settings, error) from None
            raise TryAgainLaterError(
                f"The warehouse {name} is held by {holder}: run the command again when that has ended."
            ) from None
        time.sleep(_POLL_SECONDS)


def _attempt(connection: duckdb.DuckDBPyConnection, settings: Settings, statement: str) -> duckdb.Error | None:
    with nullcontext() if settings.is_lake else checkpoints.opening(_real_file(settings)):
        try:
            connection.execute(statement)
        except duckdb.Error as error:
            return error
    return None


def _real_file(settings: Settings) -> Path:
    """Where DuckDB, which follows links, keeps what lies beside the file."""
    return Path(settings.warehouse_path).resolve()


def _is_unfinished(settings: Settings) -> bool:
    return not settings.is_lake and checkpoints.is_unfinished(_real_file(settings))


def _refusal(settings: Settings, error: Exception) -> TryAgainLaterError | WrongUseError:
    name = warehouse_name(settings)
    if _is_unfinished(settings):
        return WrongUseError(
            f"The warehouse {name} was left amid a write ({_first_sentence(error)}), and the .journal beside it could "
            "not undo that: run `nexudus-billing sync` as the user whom both belong to, or put back a copy."
        )
    if not settings.is_lake:
        return WrongUseError(
            f"The warehouse {name} cannot be opened ({_first_sentence(error)}): check NEXUDUS_WAREHOUSE."
        )
    reason = lake.cause_of(error)
    if lake.is_away(error):
        return TryAgainLaterError(f"The catalogue of {name} does not answer ({reason}): run the command again later.")
    return WrongUseError(
        f"The lake {name} cannot be opened ({reason}): check NEXUDUS_WAREHOUSE and NEXUDUS_LAKE_DATA_PATH."
    )


def _holder(message: str) -> str | None:
    """Who holds the file, as DuckDB tells it; None when the trouble is another."""
    if "file handle conflict" in message:
        return "another task of this process"
    if "onflicting lock" not in message and "being used by another process" not in message:
        return None
    found = re.search(r"held in (.+?)(?: \(PID (\d+)\))", message)
    return f"{Path(found[1]).name} (process {found[2]})" if found else "another process"


def _first_sentence(error: Exception) -> str:
    """DuckDB's first sentence, without the class of error that it begins with."""
    text = re.sub(r"^([\w ]+ Error: |\[Errno \d+\] )", "", str(error).strip())
    return re.split(r"\n|[.!](?= |$)", text, maxsplit=1)[0]
