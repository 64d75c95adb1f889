"""A DuckLake as warehouse: the tables as Parquet on a disk or an object store, their catalogue in PostgreSQL or a file.

Belongs here: DuckDB's extensions, the store's credentials, the order among writers, upkeep. Does not: any SQL of the
tables, which is the same on a DuckDB file and on a lake.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import duckdb

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.settings import Settings

_POSTGRES = "ducklake:postgres:"
_WAIT_FOR_TURN = timedelta(minutes=5)
_TURN = 0x6E65786C616B65  # any number that nobody else locks in this PostgreSQL database
# A file is written anew once this share of its rows is deleted: reading past deleted rows costs each reader.
_REWRITTEN_FROM_SHARE = 0.05
_HOW_TO_INSTALL = "run `uv sync --extra lake` in a checkout, or `pip install 'nexudus-billing[lake]'`"

# Loading an extension takes most of a second, for its signature is checked; so an instance of DuckDB that has them is
# kept for the next opening.
_idle: list[duckdb.DuckDBPyConnection] = []


@contextmanager
def lake_connection(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that knows DuckLake, the catalogue's database and the store; the lake is not attached yet.

    Raises WrongUseError where an extension is neither installed nor to be had, TryAgainLaterError where another
    process changed the same rows at the same moment.
    """
    instance = _instance(str(settings.data_dir / "lake.tmp"))
    connection = instance.cursor()
    try:
        for name in _extensions(settings):
            _load(connection, name)
        _let_into_store(connection, settings)
        yield connection
        connection.execute("use memory; detach database if exists turns; detach database if exists warehouse")
    except duckdb.TransactionException as error:
        connection.close()
        instance.close()
        raise TryAgainLaterError(
            f"Another process changed the same rows of the lake at the same moment ({cause_of(error)}): run the "
            "command again."
        ) from None
    except BaseException:
        connection.close()
        instance.close()
        raise
    connection.close()
    _idle.append(instance)


def _instance(overflow: str) -> duckdb.DuckDBPyConnection:
    """An instance of DuckDB that puts into this folder what does not fit into memory."""
    while _idle:
        instance = _idle.pop()
        try:
            if instance.execute("select current_setting('temp_directory')").fetchone() != (overflow,):
                instance.execute(f"set temp_directory = {quoted(overflow)}")
        except duckdb.NotImplementedException:  # it cannot leave a folder that it has used
            instance.close()
        else:
            return instance
    return duckdb.connect(config={"temp_directory": overflow})


def folders(settings: Settings) -> list[Path]:
    """Folders of this machine that a lake needs."""
    data_path = _data_path(settings)
    return [settings.data_dir, *([Path(data_path)] if data_path and "://" not in data_path else [])]


def attach_statement(settings: Settings, *, read_only: bool) -> str:
    """The SQL that attaches the lake as `warehouse`. It may hold a password: not for any log."""
    options = ["read_only"] if read_only else []
    data_path = _data_path(settings)
    if data_path:
        options.append(f"data_path {quoted(data_path)}")
    listed = f" ({', '.join(options)})" if options else ""
    return f"attach {quoted(settings.warehouse_path)} as warehouse{listed}"


def stand_in_line(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `turn` work on this connection, where the catalogue lets several processes write."""
    if settings.warehouse_path.startswith(_POSTGRES):
        catalogue = quoted(settings.warehouse_path.removeprefix(_POSTGRES))
        connection.execute(f"attach {catalogue} as turns (type postgres, read_only)")
        connection.execute("set variable takes_turns = true")


@contextmanager
def turn(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """While this lasts, no other process is inside its own turn; a DuckDB file, which has one writer, needs none.

    A lake has no unique keys: two processes that land the same new entry at the same time would land it twice. The
    turn is a lock of the catalogue's PostgreSQL, which gives it back when its holder dies. Raises TryAgainLaterError.
    """
    if connection.execute("select getvariable('takes_turns')").fetchone() != (True,):
        yield
        return
    holder = connection.cursor()
    try:
        holder.execute("begin")
        try:
            _ask_postgres(holder, f"set_config('lock_timeout', '{_WAIT_FOR_TURN // timedelta(milliseconds=1)}', true)")
            _ask_postgres(holder, f"pg_advisory_xact_lock({_TURN})")
        except duckdb.Error:
            raise TryAgainLaterError(
                f"Other processes kept writing to the lake for {_WAIT_FOR_TURN}, or its catalogue is gone: run the "
                "command again."
            ) from None
        yield
    finally:
        holder.close()


def keep_up(connection: duckdb.DuckDBPyConnection, keep: timedelta) -> None:
    """Write small files together without the rows deleted from them; forget states older than `keep`, and their files.

    In this order: a file from which rows were deleted has to be written anew before it can join others.
    """
    before = f"older_than => now() - to_seconds({int(keep.total_seconds())})"
    with turn(connection):
        for call in (
            "ducklake_flush_inlined_data('warehouse')",
            f"ducklake_rewrite_data_files('warehouse', delete_threshold => {_REWRITTEN_FROM_SHARE})",
            "ducklake_merge_adjacent_files('warehouse')",
            f"ducklake_expire_snapshots('warehouse', {before})",
            "ducklake_cleanup_old_files('warehouse', cleanup_all => true)",
            f"ducklake_delete_orphaned_files('warehouse', {before})",
        ):
            connection.execute(f"call {call}").fetchall()


def cause_of(error: Exception) -> str:
    """Why a lake could not be attached, in a sentence without its password."""
    text = str(error).strip()
    found = re.search(r"(?:failed|ERROR): (.*)", text)
    return without_password(found[1] if found else text.splitlines()[0])


def is_away(error: Exception) -> bool:
    """Whether the catalogue's server did not answer, which may mend itself."""
    signs = "connection refused|timed? ?out|starting up|shutting down|too many clients|closed the connection"
    return re.search(signs, str(error), re.IGNORECASE) is not None


def without_password(text: str) -> str:
    """Text that may quote a connection string, fit for people."""
    text = re.sub(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s'\"]+)", r"\1***", text, flags=re.IGNORECASE)
    return re.sub(r"(://[^/\s:@]*:)[^@\s]*@", r"\1***@", text)


def quoted(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _data_path(settings: Settings) -> str:
    path = settings.lake_data_path or ""
    if path and "://" not in path:
        path = str(Path(path).absolute())
    return path and path.rstrip("/") + "/"


def _extensions(settings: Settings) -> Iterator[str]:
    yield "ducklake"
    if settings.warehouse_path.startswith(_POSTGRES):
        yield "postgres_scanner"
    if "://" in (settings.lake_data_path or ""):
        yield "httpfs"


def _load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """From the wheel of the `lake` extra; else what DuckDB has installed; else from its own server."""
    known = "select loaded from duckdb_extensions() where extension_name = $name"
    if connection.execute(known, {"name": name}).fetchone() == (True,):
        return
    wheel = find_spec(f"duckdb_extension_{name}")
    folder = Path(wheel.submodule_search_locations[0]) if wheel and wheel.submodule_search_locations else None
    file = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension" if folder else None
    try:
        if file and file.exists():
            connection.execute(f"load {quoted(str(file))}")
        else:
            connection.execute(f"install {name}; load {name}")
    except duckdb.Error:
        raise WrongUseError(
            f"A DuckLake warehouse needs DuckDB's extension {name} for {duckdb.__version__}: {_HOW_TO_INSTALL}."
        ) from None


def _let_into_store(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    if not (settings.lake_s3_key_id and settings.lake_s3_secret):
        return  # then DuckDB goes by the secrets that its owner stored with it
    scheme, _, host = (settings.lake_s3_endpoint or "").rpartition("://")
    values = {
        "key_id": quoted(settings.lake_s3_key_id.get_secret_value()),
        "secret": quoted(settings.lake_s3_secret.get_secret_value()),
        "region": quoted(settings.lake_s3_region),
    }
    if host:
        values |= {"endpoint": quoted(host), "url_style": "'path'", "use_ssl": str(scheme != "http").lower()}
    listed = ", ".join(f"{name} {value}" for name, value in values.items())
    connection.execute(f"create or replace temporary secret lake_store (type s3, {listed})")


def _ask_postgres(connection: duckdb.DuckDBPyConnection, call: str) -> None:
    question = quoted(f"select 1 as done from {call}")  # noqa: S608 - our own words
    connection.execute(f"select * from postgres_query('turns', {question})").fetchall()  # noqa: S608 - our own words
