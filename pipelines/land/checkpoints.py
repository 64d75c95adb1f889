"""Checkpoints that no kill can spoil: DuckDB's own, with a rollback journal beside the warehouse.

At a checkpoint DuckDB (1.5.5 and 2.0.0) writes the blocks that say where everything is over themselves. A process
killed during such a write, or a machine that loses power, leaves a block that is half new, and DuckDB then refuses the
whole file ("Corrupt database file: computed checksum ..."), though no row is lost. So those blocks are copied before
each checkpoint, and put back where one did not get as far as its new header, which makes the new blocks count. The log
of changes (`.wal`) goes only after that header, so the checkpoint is simply made once more.
"""

import fcntl
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import duckdb

from pipelines.foundation.private_files import make_private_file, sync_to_disk

# Three headers of 4 KiB, then the blocks: https://duckdb.org/docs/stable/internals/storage
_HEADERS_SIZE = 3 * 4096
_PLACE = struct.Struct("<QQ")  # where in the file, and how many bytes
_DIGEST_SIZE = sha256().digest_size
# At DuckDB's 16 MB every tenth answer of a first sync waits for a checkpoint that rewrites what the last one did.
_LONGEST_LOG = 64_000_000
_opening = Lock()


def checkpoint(connection: duckdb.DuckDBPyConnection, file: Path, *, longest_log: int = 0) -> None:
    """Take the log of changes into the file, if it has more bytes than given. Nothing else may be writing to it."""
    if _log_size(file) > longest_log:
        with _journal(connection, file):
            connection.execute("checkpoint warehouse")


def keep_log_short(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """A checkpoint where the log of changes has grown so long that opening the file would take a while."""
    checkpoint(connection, file, longest_log=_LONGEST_LOG)


def is_unfinished(file: Path) -> bool:
    """Whether a checkpoint goes on, or was cut short and is not undone yet."""
    return _journal_path(file).exists()


@contextmanager
def opening(file: Path) -> Iterator[None]:
    """While the file is opened, after undoing what was cut short: one thread at a time, for locks are a process's."""
    with _opening:
        undo_unfinished(file)
        yield


def undo_unfinished(file: Path) -> None:
    """Put back the blocks of a checkpoint that was cut short, before the file is opened.

    Nothing is undone while somebody has the file, where it may not be written, or where the journal is damaged: opening
    the file tells whether that matters.
    """
    if not is_unfinished(file) or _descriptor(file) is not None:
        return
    journal = _journal_path(file)
    with suppress(OSError):
        if not file.exists():
            journal.unlink()
            return
        with file.open("r+b") as warehouse:
            fcntl.lockf(warehouse, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as DuckDB locks it
            if blocks := _read_blocks(journal.read_bytes()):
                if warehouse.read(_HEADERS_SIZE) == blocks.pop(0):
                    _put_back(blocks, warehouse)
                journal.unlink()


def _put_back(blocks: Mapping[int, bytes], warehouse: BinaryIO) -> None:
    for offset, block in blocks.items():
        warehouse.seek(offset)
        warehouse.write(block)
    warehouse.flush()
    os.fsync(warehouse.fileno())  # not by another descriptor: closing that would give up the lock


@contextmanager
def _journal(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    """A copy of what a checkpoint may write over, there until the checkpoint has ended well."""
    unfinished = file.with_name(f"{file.name}.journal.new")
    digest = sha256()
    make_private_file(unfinished)
    with unfinished.open("wb") as journal:
        for offset, block in _blocks_written_over(connection, file):
            for part in (_PLACE.pack(offset, len(block)), block):
                digest.update(part)
                journal.write(part)
        journal.write(digest.digest())
    sync_to_disk(unfinished)
    unfinished.replace(_journal_path(file))
    sync_to_disk(file.parent)
    yield
    _journal_path(file).unlink()


def _blocks_written_over(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[tuple[int, bytes]]:
    """The headers first."""
    ((size,),) = connection.execute(
        "select block_size from pragma_database_size() where database_name = 'warehouse'"
    ).fetchall()
    numbers = connection.execute("select distinct block_id from pragma_metadata_info('warehouse')").fetchall()
    descriptor = _descriptor(file)
    if descriptor is None:
        raise FileNotFoundError(file)
    yield 0, os.pread(descriptor, _HEADERS_SIZE, 0)
    for (number,) in sorted(numbers):
        offset = _HEADERS_SIZE + number * size
        yield offset, os.pread(descriptor, size, offset)


def _read_blocks(journal: bytes) -> dict[int, bytes]:
    """Blocks by their place in the file; none of a journal that is not as it was written."""
    whole, digest = journal[:-_DIGEST_SIZE], journal[-_DIGEST_SIZE:]
    if sha256(whole).digest() != digest:
        return {}
    blocks = {}
    start = 0
    while start < len(whole):
        offset, size = _PLACE.unpack_from(whole, start)
        start += _PLACE.size + size
        blocks[offset] = whole[start - size : start]
    return blocks


def _descriptor(file: Path) -> int | None:
    """DuckDB's own descriptor of the file. Another one would, when closed, give up the process's lock on the file."""
    with suppress(FileNotFoundError):
        wanted = file.stat()
        for descriptor in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 - numbers, not paths
            with suppress(OSError):  # the listing's own, closed by now
                if os.path.samestat(os.fstat(descriptor), wanted):
                    return descriptor
    return None


def _log_size(file: Path) -> int:
    with suppress(FileNotFoundError):
        return Path(f"{file}.wal").stat().st_size
    return 0


def _journal_path(file: Path) -> Path:
    return file.with_name(f"{file.name}.journal")
