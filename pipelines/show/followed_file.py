"""The newest published file, followed by a server without a restart."""

import threading
from pathlib import Path

from pipelines.errors import WrongUseError
from pipelines.publish.snapshot import Snapshot, Stamp, open_snapshot, stamp


class FollowedFile:
    """Hands out the newest release that can be read. Thread-safe.

    A page that is being drawn keeps the release that it began with, which is closed when the last such page is done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._refused: Stamp | None = None
        self.trouble: WrongUseError | None = None
        """What is wrong with the file that is there now, while an older release is shown."""

    def now(self) -> Snapshot:
        """The release to show. Raises NotPublishedError, DamagedFileError or MissingTableError where there is none."""
        with self._lock:
            there = stamp(self.path)
            if self._snapshot and there in (self._snapshot.stamp, self._refused):
                return self._snapshot
            try:
                opened = open_snapshot(self.path).lock_down()
            except WrongUseError as trouble:
                self._refused, self.trouble = there, trouble
                if self._snapshot is None:
                    raise
            else:
                self._snapshot, self._refused, self.trouble = opened, None, None
            return self._snapshot

    def has_changed(self, shown: Stamp | None) -> bool:
        """Whether the file on disk is not the one shown."""
        there = stamp(self.path)
        return there not in (shown, self._refused)
