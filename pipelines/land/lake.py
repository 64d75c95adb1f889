"""A DuckLake as warehouse: the tables as Parquet on a disk or an object store, their catalogue in PostgreSQL or a file.

Belongs here: DuckDB's extensions, the store's credentials, the order among writers, upkeep. Does not: any SQL of the
tables, which is the same on a DuckDB file and on a lake.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import duckdb

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.duckdb_errors import quoted
from pipelines.foundation.transactions import transaction
from pipelines.land.rewriting import rewrite
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


@dataclass(frozen=True)
class Lake:
    """The Warehouse that is a DuckLake. Writers to a catalogue in PostgreSQL take turns; one in a file has one."""

    settings: Settings
    is_shared = True
    needs_upkeep = True

    @property
    def name(self) -> str:
        """The connection string without its password."""
        return without_password(self.settings.warehouse_path)

    @property
    def folders(self) -> list[Path]:
        """The data directory, and that of the Parquet files where it is on this machine."""
        path = self._data_path
        return [self.settings.data_dir, *([Path(path)] if path and "://" not in path else [])]

    @property
    def senders_lock(self) -> Path:
        """In the data directory."""
        return self.settings.data_dir / "lake.record.lock"

    def exists(self) -> bool:
        """Only opening it can tell."""
        return True

    @contextmanager
    def connection(self, limits: Mapping[str, str | int]) -> Iterator[duckdb.DuckDBPyConnection]:  # noqa: ARG002 - they are for a file
        """A connection that knows DuckLake, the catalogue's database and the store.

        Raises WrongUseError where an extension is neither installed nor to be had, TryAgainLaterError where another
        process changed the same rows at the same moment.
        """
        instance = _instance(str(self.settings.data_dir / "lake.tmp"))
        connection = instance.cursor()
        try:
            for name in self._extensions():
                _load(connection, name)
            _let_into_store(connection, self.settings)
            yield connection
            connection.execute("use memory; detach database if exists turns; detach database if exists warehouse")
        except duckdb.TransactionException as error:
            connection.close()
            instance.close()
            raise TryAgainLaterError(
                f"Another process changed the same rows of the lake at the same moment ({cause_of(error)}): run the "
                "command again."
            ) from None
        except BaseException as error:
            connection.close()
            instance.close()
            if isinstance(error, duckdb.Error):  # it may quote the connection string
                raise type(error)(without_password(str(error))) from None
            raise
        connection.close()
        _idle.append(instance)

    def attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        """The statement may hold a password: it is not for any log."""
        options = ["read_only"] if read_only else []
        if self._data_path:
            options.append(f"data_path {quoted(self._data_path)}")
        listed = f" ({', '.join(options)})" if options else ""
        connection.execute(f"attach {quoted(self.settings.warehouse_path)} as warehouse{listed}")

    def may_open_soon(self) -> bool:
        """What may pass is in the refusal."""
        return False

    def refusal(self, error: duckdb.Error) -> TryAgainLaterError | WrongUseError:
        """Whether the catalogue is away, or the lake cannot be had as the settings say."""
        reason = cause_of(error)
        if is_away(error):
            return TryAgainLaterError(
                f"The catalogue of {self.name} does not answer ({reason}): run the command again later."
            )
        return WrongUseError(
            f"The lake {self.name} cannot be opened ({reason}): check NEXUDUS_WAREHOUSE and NEXUDUS_LAKE_DATA_PATH."
        )

    def begin_writing(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Attach what gives turns, where the catalogue lets several processes write."""
        if self._has_turns:
            catalogue = quoted(self.settings.warehouse_path.removeprefix(_POSTGRES))
            connection.execute(f"attach {catalogue} as turns (type postgres, read_only)")

    @contextmanager
    def writing_alone(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """A transaction within a turn."""
        with self._turn(connection), transaction(connection):
            yield

    def end_writing(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What was committed is there."""

    def forget_deleted(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make every table anew, for the catalogue knows the largest and smallest text of each, and forget the old."""
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'warehouse'"
        ).fetchall()
        with self.writing_alone(connection):
            for schema, table in tables:
                name = f'{schema}."{table}"'
                connection.execute(f"create or replace table {name} as select * from {name}")  # noqa: S608 - our own
        self.keep_up(connection, timedelta())
        if not self._has_turns:  # what PostgreSQL deletes, its own VACUUM overwrites
            catalogue = Path(self.settings.warehouse_path.removeprefix("ducklake:"))
            connection.execute("use memory; detach warehouse")
            connection.execute(f"attach {quoted(str(catalogue))} as catalogue (type duckdb); checkpoint catalogue")
            rewrite(connection, "catalogue", catalogue.resolve())
            connection.execute("detach catalogue")

    def keep_up(self, connection: duckdb.DuckDBPyConnection, keep: timedelta) -> None:
        """Write small files together without deleted rows; forget states older than `keep`, and their files.

        In this order: a file from which rows were deleted has to be written anew before it can join others.
        """
        before = f"older_than => now() - to_seconds({int(keep.total_seconds())})"
        with self._turn(connection):
            for call in (
                "ducklake_flush_inlined_data('warehouse')",
                f"ducklake_rewrite_data_files('warehouse', delete_threshold => {_REWRITTEN_FROM_SHARE})",
                "ducklake_merge_adjacent_files('warehouse')",
                f"ducklake_expire_snapshots('warehouse', {before})",
                "ducklake_cleanup_old_files('warehouse', cleanup_all => true)",
                f"ducklake_delete_orphaned_files('warehouse', {before})",
            ):
                connection.execute(f"call {call}").fetchall()

    @contextmanager
    def _turn(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """While this lasts, no other process is inside its own turn.

        A lake has no unique keys: two processes that land the same new entry at the same time would land it twice. The
        turn is a lock of the catalogue's PostgreSQL, which gives it back when its holder dies.
        """
        if not self._has_turns:
            yield
            return
        holder = connection.cursor()
        try:
            holder.execute("begin")
            try:
                milliseconds = _WAIT_FOR_TURN // timedelta(milliseconds=1)
                _ask_postgres(holder, f"set_config('lock_timeout', '{milliseconds}', true)")
                _ask_postgres(holder, f"pg_advisory_xact_lock({_TURN})")
            except duckdb.Error:
                raise TryAgainLaterError(
                    f"Other processes kept writing to the lake for {_WAIT_FOR_TURN}, or its catalogue is gone: run the "
                    "command again."
                ) from None
            yield
        finally:
            holder.close()

    @property
    def _has_turns(self) -> bool:
        return self.settings.warehouse_path.startswith(_POSTGRES)

    @property
    def _data_path(self) -> str:
        path = self.settings.lake_data_path or ""
        if path and "://" not in path:
            path = str(Path(path).absolute())
        return path and path.rstrip("/") + "/"

    def _extensions(self) -> Iterator[str]:
        yield "ducklake"
        if self._has_turns:
            yield "postgres_scanner"
        if "://" in (self.settings.lake_data_path or ""):
            yield "httpfs"


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


def cause_of(error: Exception) -> str:
    """Why a lake could not be attached, in a sentence without its password."""
    text = str(error).strip()
    found = re.search(r"(?:failed|ERROR): (.*)", text)
    return without_password(found[1] if found else text.splitlines()[0])


def is_away(error: Exception) -> bool:
    """Whether the catalogue's server did not answer, which may pass."""
    signs = "connection refused|timed? ?out|starting up|shutting down|too many clients|closed the connection"
    return re.search(signs, str(error), re.IGNORECASE) is not None


def without_password(text: str) -> str:
    """Text that may quote a connection string, fit for people."""
    text = re.sub(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s'\"]+)", r"\1***", text, flags=re.IGNORECASE)
    return re.sub(r"(://[^/\s:@]*:)\S*@", r"\1***@", text)


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
