"""Files and folders for their owner only, swapped in whole, and on the disk before something else may happen.

What is published may also be read by the group of its folder, where that has the set-group-id bit (`chmod 2750`).
"""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import PipelineError, TryAgainLaterError, WrongUseError
from pipelines.foundation.duckdb_errors import first_sentence, is_full_disk

PRIVATE = 0o600
_SHARED, _SHARED_FOLDER = 0o640, 0o2750
_guard = threading.Lock()
_masks: list[int] = []


def make_private_folder(folder: Path, *, is_published: bool = False) -> None:
    """Make a folder that only its owner can enter. Raises WrongUseError where that cannot be."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for made in reversed(missing):
            if is_published and _is_shared(made.parent):
                made.chmod(_SHARED_FOLDER)
    except OSError as error:
        raise WrongUseError(f"The folder {folder} cannot be made ({error.strerror}): set NEXUDUS_DATA_DIR.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WrongUseError(f"The folder {folder} cannot be written to: set NEXUDUS_DATA_DIR or fix its permissions.")


def close_folder(folder: Path) -> None:
    """Let nobody but its owner into a folder of ours, unless it was opened to a group on purpose."""
    if folder.is_dir() and folder.stat().st_uid == os.geteuid() and not _is_shared(folder):
        folder.chmod(0o700)


def make_private_file(file: Path) -> None:
    """Make an empty file for its owner only, if it is absent. Raises OSError."""
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, PRIVATE))


@contextmanager
def created_private() -> Iterator[None]:
    """While this lasts, what this process creates is for its owner only, also what other libraries put beside a file.

    The mask is the whole process's, so the last one to end puts back what the first one found.
    """
    with _guard:
        _masks.append(os.umask(0o077))
    try:
        yield
    finally:
        with _guard:
            before = _masks[0]
            _masks.pop()
            if not _masks:
                os.umask(before)


@contextmanager
def written_aside(file: Path, *, is_published: bool = False) -> Iterator[Path]:
    """A name in the same folder to write to; once that has succeeded it is the file, private and on the disk."""
    building = file.with_name(f".{file.stem}.{os.getpid()}.building{file.suffix}")
    try:
        with created_private():
            yield building
        settle(building, is_published=is_published)
        building.replace(file)
        sync_to_disk(file.parent)
    finally:
        building.unlink(missing_ok=True)


def replace_file(file: Path, content: bytes, *, is_published: bool = False) -> None:
    """Write a small file aside and swap it in. Raises OSError."""
    with written_aside(file, is_published=is_published) as building:
        building.write_bytes(content)


def settle(file: Path, *, is_published: bool = False) -> None:
    """Have a file that another library wrote be private and on the disk."""
    file.chmod(_SHARED if is_published and _is_shared(file.parent) else PRIVATE)
    sync_to_disk(file)


def _is_shared(folder: Path) -> bool:
    """Whether who runs the machine has opened this folder to its group; only then do its new files have that group."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISGID and mode & stat.S_IRGRP)


def sync_to_disk(path: Path) -> None:
    """Have a file, or a folder's list of names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(path: object, error: Exception, advice: str) -> PipelineError:
    """What to tell the person for whom a path could not be written: another time where the disk is full."""
    reason = getattr(error, "strerror", None) or first_sentence(error)
    if is_full_disk(error):
        return TryAgainLaterError(
            f"{path} cannot be written ({reason}): make room on its disk and run the command again; what was there "
            "before is kept."
        )
    return WrongUseError(f"{path} cannot be written ({reason}): {advice}")
