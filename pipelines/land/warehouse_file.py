"""A DuckDB file as warehouse: it has one writer at a time, and a log of changes that checkpoints take into it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from pipelines.errors import WrongUseError
from pipelines.foundation.duckdb_errors import first_sentence, quoted
from pipelines.foundation.private_files import PRIVATE
from pipelines.foundation.transactions import transaction
from pipelines.land import checkpoints
from pipelines.land.rewriting import rewrite
from pipelines.settings import Settings

# The raw JSON of a version is about a kilobyte. DuckDB compresses a row group in memory, and its own size of 122,880
# rows would be 120 MB at each checkpoint, two of them at times.
_ROWS_PER_GROUP = 16_384


@dataclass(frozen=True)
class WarehouseFile:
    """The Warehouse that is a file. A second writer waits for the first."""

    settings: Settings
    is_shared = False
    needs_upkeep = False

    @property
    def name(self) -> str:
        """Its path."""
        return self.settings.warehouse_path

    @property
    def folders(self) -> list[Path]:
        """The one that it lies in."""
        return [Path(self.name).parent]

    @property
    def senders_lock(self) -> Path:
        """Beside the file."""
        return Path(f"{self.name}.record.lock")

    def exists(self) -> bool:
        """Whether the file is there."""
        return Path(self.name).exists()

    @contextmanager
    def connection(self, limits: Mapping[str, str | int]) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection within these limits; what does not fit into memory goes to disk, beside the file."""
        with duckdb.connect(config={"temp_directory": f"{self.name}.tmp", **limits}) as connection:
            # See checkpoints.
            connection.execute("set checkpoint_threshold = '1TB'; pragma disable_checkpoint_on_shutdown")
            yield connection

    def attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        """After undoing a checkpoint that was cut short."""
        # Without the type DuckDB takes a name in .json for a table to read, and keeps what is written in memory only.
        options = "type duckdb, " + ("read_only" if read_only else f"row_group_size {_ROWS_PER_GROUP}")
        with checkpoints.opening(self._real_file):
            connection.execute(f"attach {quoted(self.name)} as warehouse ({options})")

    def may_open_soon(self) -> bool:
        """While a checkpoint goes on."""
        return checkpoints.is_unfinished(self._real_file)

    def refusal(self, error: duckdb.Error) -> WrongUseError:
        """What is wrong with the file."""
        if self.may_open_soon():
            return WrongUseError(
                f"A write to the warehouse {self.name} was cut short ({first_sentence(error)}), and the .journal "
                "beside it could not undo that: run `nexudus-billing sync` as the user that owns both, or put back a "
                "copy."
            )
        return WrongUseError(
            f"The warehouse {self.name} cannot be opened ({first_sentence(error)}): check NEXUDUS_WAREHOUSE."
        )

    def begin_writing(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: ARG002 - a lake needs it
        """The file is for its owner only."""
        Path(self.name).chmod(PRIVATE)

    @contextmanager
    def writing_alone(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """A transaction: nobody else has the file."""
        with transaction(connection):
            yield
        checkpoints.keep_log_short(connection, self._real_file)

    def end_writing(self, connection: duckdb.DuckDBPyConnection) -> None:
        """All that was written goes into the file itself."""
        checkpoints.checkpoint(connection, self._real_file)

    def forget_deleted(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy what is there into a new file."""
        self.end_writing(connection)
        rewrite(connection, "warehouse", self._real_file, f"type duckdb, row_group_size {_ROWS_PER_GROUP}")

    def keep_up(self, connection: duckdb.DuckDBPyConnection, keep: timedelta) -> None:
        """A file has no older states and no files of its own."""

    @property
    def _real_file(self) -> Path:
        """Where DuckDB, which follows links, keeps what lies beside the file."""
        return Path(self.name).resolve()
