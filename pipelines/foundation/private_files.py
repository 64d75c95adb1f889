"""What has to be on the disk before something else may happen."""

import os
from pathlib import Path


def sync_to_disk(path: Path) -> None:
    """Have a file, or a folder's list of names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
