"""Dagster's SQLite storage with connections that stay open; what `storage: custom:` in dagster.yaml names.

The stock classes open and close a connection for each event, and SQLite writes its journal back, with three waits for
the disk, whenever the last connection closes. A run of ours stores some 500 events, for every promise is a check.
Files, tables and journal mode are those of the stock storage: either can open what the other has written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

# Each run has a file of its own; a webserver looks at many in its life.
_SHARDS_KEPT_OPEN = 8


class SteadySqliteStorage(DagsterSqliteStorage):
    """`DagsterSqliteStorage` over the two storages below."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        Path(base_dir).mkdir(parents=True, exist_ok=True)
        # Of two processes that find no tables one would fail: each looks first and makes them then.
        with FileLock(Path(base_dir) / "storage.lock"):
            super().__init__(base_dir, inst_data)
            stock_runs, stock_events = self._run_storage, self._event_log_storage
            self._run_storage = SteadyRunStorage(stock_runs._conn_string, stock_runs.inst_data)  # noqa: SLF001
            self._event_log_storage = SteadyEventLogStorage(stock_events._base_dir, stock_events.inst_data)  # noqa: SLF001

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "SteadySqliteStorage":  # noqa: ANN401 - as Dagster has it
        """What dagster.yaml asks for."""
        return cls.from_local(inst_data=inst_data, **config_value)


class SteadyRunStorage(SqliteRunStorage):
    """One pool of connections to `runs.db`."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(conn_string, inst_data)
        self._engine = _steady(create_engine(conn_string, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}))

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction on a connection of the pool."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class SteadyEventLogStorage(SqliteEventLogStorage):
    """One connection to the index and to each of the latest runs' files, used by one thread at a time."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine_of(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine_of(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None) or _steady(
            create_engine(
                self.conn_string_for_shard(shard),
                poolclass=StaticPool,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
        )
        self._engines[shard] = engine  # at the end: the first is the one that was longest unused
        runs = [name for name in self._engines if name != INDEX_SHARD_NAME]
        for name in runs[:-_SHARDS_KEPT_OPEN]:
            self._engines.pop(name).dispose()
        return engine

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _steady(engine: Engine) -> Engine:
    @event.listens_for(engine, "connect")
    def relax(connection: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's, through a pool
        # In WAL mode this keeps the file sound at any crash; a power cut may lose the last moments of a run's log.
        connection.execute("pragma synchronous = normal")

    return engine
