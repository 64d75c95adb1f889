"""Checkpoints that no kill can spoil: DuckDB's own, with a rollback journal beside the warehouse.

At a checkpoint DuckDB (1.5.5 and 2.0.0) writes the blocks that say where everything is over themselves. A process
killed amid such a write, or a machine that loses power, leaves a block that is half new, and DuckDB then refuses the
whole file ("Corrupt database file: computed checksum ..."), though no row is lost. So those blocks are copied before
each checkpoint, and put back where one did not get as far as its new header, which makes the new blocks count. The log
of changes (`.wal`) goes only after that header, so the checkpoint is simply made once more.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import duckdb

# Three headers of 4 KiB, then the blocks: https://duckdb.org/docs/stable/internals/storage
_HEADERS_SIZE = 3 * 4096
_PLACE = struct.Struct("<QQ")  # where in the file, and how many bytes
# At DuckDB's 16 MB every tenth answer of a first sync waits for a checkpoint that rewrites what the last one did.
_LONGEST_LOG = 64_000_000


def checkpoint(connection: duckdb.DuckDBPyConnection, file: Path, *, longest_log: int = 0) -> None:
    """Take the log of changes into the file, if it is longer than so many bytes. Nothing else may be writing to it."""
    if _log_size(file) > longest_log:
        with _journal(connection, file):
            connection.execute("checkpoint warehouse")


def keep_log_short(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """A checkpoint where the log of changes has grown so long that opening the file would take a while."""
    checkpoint(connection, file, longest_log=_LONGEST_LOG)


def undo_unfinished(file: Path) -> None:
    """Put back the blocks of a checkpoint that was cut short, before the file is opened. One that goes on is left."""
    path = _journal_path(file)
    with suppress(FileNotFoundError, PermissionError), path.open("rb") as journal:
        if not _locked(journal) or not os.path.samestat(path.stat(), os.fstat(journal.fileno())):
            return
        blocks = _read_blocks(journal)
        with file.open("r+b") as warehouse:
            if not _locked(warehouse, fcntl.lockf):  # as DuckDB locks it, for somebody else's may be writing to it
                return
            if warehouse.read(_HEADERS_SIZE) == next(blocks)[1]:
                for offset, block in blocks:
                    warehouse.seek(offset)
                    warehouse.write(block)
                _to_disk(warehouse)
        path.unlink()


@contextmanager
def _journal(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    """A copy of what a checkpoint may write over, there until the checkpoint has ended well."""
    unfinished = file.with_name(f"{file.name}.journal.new")
    with open(unfinished, "wb", opener=_private) as journal:
        _locked(journal)
        for place_and_block in _blocks_written_over(connection, file):
            journal.writelines(place_and_block)
        _to_disk(journal)
        unfinished.replace(_journal_path(file))
        _folder_to_disk(file.parent)
        yield
        _journal_path(file).unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _blocks_written_over(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[tuple[bytes, bytes]]:
    ((size,),) = connection.execute(
        "select block_size from pragma_database_size() where database_name = 'warehouse'"
    ).fetchall()
    numbers = connection.execute("select distinct block_id from pragma_metadata_info('warehouse')").fetchall()
    descriptor = _descriptor(file)
    places = [(0, _HEADERS_SIZE), *((_HEADERS_SIZE + number * size, size) for (number,) in sorted(numbers))]
    for offset, length in places:
        yield _PLACE.pack(offset, length), os.pread(descriptor, length, offset)


def _descriptor(file: Path) -> int:
    """DuckDB's own descriptor of the file. Another one would, when closed, give up the process's lock on the file."""
    wanted = file.stat()
    for descriptor in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):  # the listing's own, closed by now
            if os.path.samestat(os.fstat(descriptor), wanted):
                return descriptor
    raise FileNotFoundError(file)


def _read_blocks(journal: BinaryIO) -> Iterator[tuple[int, bytes]]:
    while place := journal.read(_PLACE.size):
        offset, size = _PLACE.unpack(place)
        yield offset, journal.read(size)


def _locked(file: BinaryIO, lock: Callable[[BinaryIO, int], None] = fcntl.flock) -> bool:
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _log_size(file: Path) -> int:
    with suppress(FileNotFoundError):
        return Path(f"{file}.wal").stat().st_size
    return 0


def _journal_path(file: Path) -> Path:
    return file.with_name(f"{file.name}.journal")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
