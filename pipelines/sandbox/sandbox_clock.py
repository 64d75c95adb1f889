"""The sandbox's clock: it stamps rows, dates answers and ends tokens. It runs, stands or jumps as told."""

import threading
import time
from datetime import UTC, datetime, timedelta


def seconds(at: datetime | int) -> int:
    """Whole seconds since 1970 UTC. Raises ValueError for a datetime without a zone."""
    if isinstance(at, int):
        return at
    if at.tzinfo is None:
        raise ValueError("the sandbox wants datetimes with a time zone")
    return int(at.timestamp())


class SandboxClock:
    """Starts at `start` (default: now) and runs on, until it is set, advanced or frozen."""

    def __init__(self, start: datetime | int | None = None) -> None:
        self._lock = threading.Lock()
        self._frozen_at: float | None = None
        self._offset = 0.0 if start is None else seconds(start) - time.time()

    def exact(self) -> float:
        """Seconds since 1970 UTC, with fractions."""
        with self._lock:
            return time.time() + self._offset if self._frozen_at is None else self._frozen_at

    def now(self) -> int:
        """Whole seconds since 1970 UTC."""
        return int(self.exact())

    def now_at(self) -> datetime:
        """The same as a datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    def set(self, at: datetime | int) -> None:
        """Jump to an instant; a frozen clock stays frozen there."""
        with self._lock:
            self._offset = seconds(at) - time.time()
            if self._frozen_at is not None:
                self._frozen_at = float(seconds(at))

    def advance(self, by: timedelta | float) -> None:
        """Move on (or back) by a span, in seconds if it is a number."""
        span = by.total_seconds() if isinstance(by, timedelta) else by
        with self._lock:
            self._offset += span
            if self._frozen_at is not None:
                self._frozen_at += span

    def freeze(self, at: datetime | int | None = None) -> None:
        """Stand still, here or at an instant."""
        still = self.exact() if at is None else float(seconds(at))
        with self._lock:
            self._frozen_at = still

    def resume(self) -> None:
        """Run on from where it stood."""
        with self._lock:
            if self._frozen_at is not None:
                self._offset, self._frozen_at = self._frozen_at - time.time(), None
