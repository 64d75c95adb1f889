"""Half-open ranges of minutes: what is wanted, what is closed, and the gaps between. Pure arithmetic, no clock."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

MINUTE = timedelta(minutes=1)


class Window(NamedTuple):
    """The minutes from `start` up to, not including, `end`; both aware and on the minute."""

    start: datetime
    end: datetime

    @property
    def is_empty(self) -> bool:
        """Whether no minute is inside."""
        return self.end <= self.start

    @property
    def span(self) -> timedelta:
        """Length, never negative."""
        return max(self.end - self.start, timedelta())

    def meet(self, other: "Window") -> "Window":
        """The minutes in both; may be empty."""
        return Window(max(self.start, other.start), min(self.end, other.end))

    def __contains__(self, instant: object) -> bool:
        """Whether an instant lies inside."""
        return isinstance(instant, datetime) and self.start <= instant < self.end


def floor_minute(instant: datetime) -> datetime:
    """The minute that an instant lies in."""
    return instant.replace(second=0, microsecond=0)


def merge(windows: Iterable[Window]) -> list[Window]:
    """The same minutes as few windows, in order, none touching the next."""
    merged: list[Window] = []
    for window in sorted(w for w in windows if not w.is_empty):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def gaps(wanted: Iterable[Window], closed: Iterable[Window]) -> list[Window]:
    """The wanted minutes that no closed window holds, merged and in order."""
    closed = merge(closed)
    return [gap for window in merge(wanted) for gap in _gaps_in(window, closed)]


def _gaps_in(window: Window, closed: list[Window]) -> Iterator[Window]:
    start = window.start
    for done in closed:
        if done.end <= start:
            continue
        if done.start >= window.end:
            break
        if done.start > start:
            yield Window(start, done.start)
        start = done.end
    if start < window.end:
        yield Window(start, window.end)


def split(window: Window, parts: int) -> list[Window]:
    """At most `parts` windows of nearly equal length that tile this one, each at least a minute."""
    minutes = int(window.span / MINUTE)
    parts = max(1, min(parts, minutes))
    edges = [window.start + MINUTE * (minutes * i // parts) for i in range(parts)] + [window.end]
    return [Window(a, b) for a, b in pairwise(edges)]
