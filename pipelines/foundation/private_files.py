"""Files and folders for their owner only, and what has to be on the disk before something else may happen."""

import os
from pathlib import Path

from pipelines.errors import WrongUseError


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter. Raises WrongUseError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WrongUseError(f"The folder {folder} cannot be made ({error.strerror}): set NEXUDUS_DATA_DIR.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WrongUseError(f"The folder {folder} cannot be written to: set NEXUDUS_DATA_DIR or fix its permissions.")


def sync_to_disk(path: Path) -> None:
    """Have a file, or a folder's list of names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
