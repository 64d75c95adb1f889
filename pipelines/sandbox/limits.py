"""The documented limits, enforced: a number of requests in any window of a given length, by the sandbox's clock."""

from pipelines.sandbox.knobs import Knobs

_DAY = 86_400.0
_KEPT = 200_000
# Requests sent 100 ms apart arrive a little closer now and then; no server counts that against a client.
_JITTER_SECONDS = 0.02


class Limits:
    """Counts the requests that were let through."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._requests: list[float] = []
        self._writes: list[float] = []

    def wait_seconds(self, now: float, *, is_write: bool) -> float:
        """0 when the request may pass, and is counted; else how long until it might."""
        if not self._knobs.enforce_limits:
            return 0.0
        knobs = self._knobs
        windows = [
            (0.1, knobs.requests_per_100_ms),
            (60.0, knobs.requests_per_minute),
            (3600.0, knobs.requests_per_hour),
            (_DAY, knobs.requests_per_day),
        ]
        wait = _wait(self._requests, windows, now)
        if is_write:
            wait = max(wait, _wait(self._writes, [(60.0, knobs.writes_per_minute), (_DAY, knobs.writes_per_day)], now))
        if wait == 0:
            self._requests.append(now)
            if is_write:
                self._writes.append(now)
        return wait


def _wait(passed: list[float], windows: list[tuple[float, int]], now: float) -> float:
    """How long until every window has room: until its limit-th last request has left it."""
    if passed and now < passed[-1]:
        # The clock was set back: what came before has no place in any window.
        passed.clear()
    del passed[: -2 * _KEPT]
    waits = [
        passed[-limit] + window - now
        for window, limit in windows
        if 0 < limit <= len(passed) and passed[-limit] + window - now > _JITTER_SECONDS
    ]
    return max(waits, default=0.0)
