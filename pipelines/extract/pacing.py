"""The pace of requests, kept by all processes that share one data directory. None is sent early.

A limit of n requests in an interval lets a request go once the n-th newest one is that old; spacing is the limit of
one. The moments at which requests went are rows of a small SQLite file, whose write lock makes "look, then go" one
step for every process. A request is stamped when it may go, never ahead, so a killed process leaves nothing behind.

Not pyrate-limiter (read at 4.5.1): after a wait it stamps the moment it had planned, not the one at which the request
goes, so the next one is early; and it has no place for the pause that an answer's Retry-After asks of everybody.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from pipelines.errors import PipelineError
from pipelines.extract.failures import LONGEST_BELIEVED_WAIT_SECONDS, LONGEST_WAIT_SECONDS, ThrottledError
from pipelines.foundation.private_files import make_private_file, make_private_folder, unwritable
from pipelines.settings import Clock, Settings

OnWait = Callable[[float, str], None]

_MICROSECONDS = 1_000_000
# The server counts arrivals, and not every request takes equally long to arrive (some ms apart on a busy machine).
_JITTER_SECONDS = 0.005
# A limiter that lets one request through each second, say, names no limit: on each throttle we go slower at once, and
# after each good answer a little faster, so that few requests are refused at any limit.
_FIRST_SLOW_SECONDS = 0.2
_LONGEST_SLOW_SECONDS = 30.0
_SLOWER, _SLOWER_NEAR_THE_LIMIT, _FASTER = 2.0, 1.25, 0.99
_CALM_REQUESTS = 15
_SHORTEST_TOLD_WAIT = 1.0  # seconds; the spacing between requests is not worth a word
# A stamp ahead of the clock is left from before the clock was set back: it says nothing about the pace.
_AHEAD_MICROSECONDS = _MICROSECONDS
_SCHEMA = """
create table if not exists requests (went_at integer not null, is_write integer not null);
create index if not exists requests_went_at on requests (went_at);
create index if not exists writes_went_at on requests (went_at) where is_write;
create table if not exists pause (set_at integer not null, until_at integer not null);
"""
_NTH_NEWEST = "select went_at from requests where went_at <= ? order by went_at desc limit 1 offset ?"
_NTH_NEWEST_WRITE = _NTH_NEWEST.replace("where", "where is_write and")
# Documented, and not a setting: this program writes little, and half the pace of reading is no hardship.
_WRITES_PER_MINUTE = 60


@dataclass(frozen=True)
class Limit:
    """At most `count` requests, or writes, in any `seconds`; `words` names it to people."""

    count: int
    seconds: float
    words: str
    of_writes: bool = False


@dataclass(frozen=True)
class Wait:
    """How long a request has to wait yet, in microseconds, and what for."""

    microseconds: int
    reason: str


class Ledger(Protocol):
    """Where requests and pauses are written down. Moments are microseconds since 1970."""

    def claim(self, now: int, *, is_write: bool) -> Wait | None:
        """None: the request may go, and is written down; else how long it has to wait yet."""

    def look(self, now: int, *, is_write: bool) -> Wait | None:
        """The same without writing anything down."""

    def pause(self, now: int, until: int) -> None:
        """Let nobody go before `until`."""

    def close(self) -> None:
        """Give the file back."""


class OwnLedger:
    """No limits: only the pauses that the API asks for, within this process. Touches no file."""

    def __init__(self) -> None:
        self._until = 0

    def claim(self, now: int, *, is_write: bool) -> Wait | None:  # noqa: ARG002 - a pause holds both
        """See Ledger."""
        return Wait(self._until - now, _THROTTLED) if self._until > now else None

    look = claim

    def pause(self, now: int, until: int) -> None:  # noqa: ARG002 - one clock, nothing to compare
        """See Ledger."""
        self._until = max(self._until, until)

    def close(self) -> None:
        """See Ledger."""


_THROTTLED = "throttled by the API"


class SharedLedger:
    """The limits, over all processes that open the same file."""

    def __init__(self, path: Path, limits: list[Limit]) -> None:
        self._limits = limits
        self._path = path
        make_private_folder(path.parent)
        try:
            make_private_file(path)
            self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            self._file.execute("pragma journal_mode = wal")
            self._file.execute("pragma synchronous = normal")
            self._file.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from None

    def claim(self, now: int, *, is_write: bool) -> Wait | None:
        """See Ledger."""
        try:
            self._file.execute("begin immediate")
            try:
                wait = self._wait(now, is_write=is_write)
                if wait is None:
                    self._write_down(now, is_write=is_write)
            finally:
                self._file.execute("commit")
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return wait

    def look(self, now: int, *, is_write: bool) -> Wait | None:
        """See Ledger."""
        try:
            return self._wait(now, is_write=is_write)
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def pause(self, now: int, until: int) -> None:
        """See Ledger."""
        try:
            self._file.execute("insert into pause values (?, ?)", (now, until))
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        """See Ledger."""
        self._file.close()

    def _wait(self, now: int, *, is_write: bool) -> Wait | None:
        longest = max((*self._waits(now, is_write=is_write), self._pause(now)), key=lambda wait: wait.microseconds)
        return longest if longest.microseconds > 0 else None

    def _waits(self, now: int, *, is_write: bool) -> list[Wait]:
        waits = []
        for limit in self._limits:
            if limit.of_writes and not is_write:
                continue
            newest = _NTH_NEWEST_WRITE if limit.of_writes else _NTH_NEWEST
            with closing(self._file.execute(newest, (now + _AHEAD_MICROSECONDS, limit.count - 1))) as rows:
                row = rows.fetchone()
            if row is not None:
                waits.append(Wait(row[0] + round(limit.seconds * _MICROSECONDS) - now, limit.words))
        return waits

    def _pause(self, now: int) -> Wait:
        set_by_this_clock = "select max(until_at) from pause where set_at <= ? and until_at - set_at <= ?"
        longest = round(LONGEST_BELIEVED_WAIT_SECONDS * _MICROSECONDS)
        with closing(self._file.execute(set_by_this_clock, (now + _AHEAD_MICROSECONDS, longest))) as rows:
            (until,) = rows.fetchone()
        return Wait((until or 0) - now, _THROTTLED)

    def _write_down(self, now: int, *, is_write: bool) -> None:
        oldest = now - round(max(limit.seconds for limit in self._limits) * _MICROSECONDS)
        outdated = "went_at <= ? or went_at > ?"
        self._file.execute(f"delete from requests where {outdated}", (oldest, now + _AHEAD_MICROSECONDS))  # noqa: S608 - our own words
        self._file.execute("delete from pause where until_at <= ? or set_at > ?", (now, now + _AHEAD_MICROSECONDS))
        self._file.execute("insert into requests values (?, ?)", (now, is_write))

    def _unusable(self, error: Exception) -> PipelineError:
        name = f"The file that keeps the request pace, {self._path},"
        return unwritable(name, error, "make NEXUDUS_DATA_DIR a folder that you may write to, or delete this file.")


class Pacer:
    """Lets requests go one at a time. Thread-safe. `clock` and `sleep` belong together: sleeping moves the clock."""

    def __init__(
        self, ledger: Ledger, *, clock: Clock, sleep: Callable[[float], None], on_wait: OnWait | None = None
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._on_wait = on_wait
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._slow_seconds = 0.0
        self._went_at = 0
        self._went_since_slower = _CALM_REQUESTS
        self.waited_seconds = 0.0

    def draw_near(self, *, is_write: bool = False) -> None:
        """Return when a request may go at once or almost: a connection should not idle through a longer wait.

        Raises ThrottledError rather than wait longer than LONGEST_WAIT_SECONDS.
        """
        self._wait_while(partial(self._ask, self._ledger.look, is_write=is_write), at_most=_SHORTEST_TOLD_WAIT)

    def admit(self, *, is_write: bool = False) -> None:
        """Return when a request may go, in this very moment. Raises ThrottledError as `draw_near` does."""
        self._wait_while(partial(self._ask, self._claim, is_write=is_write))

    def slow_down(self) -> None:
        """Go slower: the API has throttled. Answers to what was sent before the last time count as that one."""
        with self._count:
            if self._went_since_slower > 0:
                factor = _SLOWER_NEAR_THE_LIMIT if self._slow_seconds and self._is_calm else _SLOWER
                slower = max(_FIRST_SLOW_SECONDS, self._slow_seconds * factor)
                self._slow_seconds = min(slower, _LONGEST_SLOW_SECONDS)
                self._went_since_slower = 0

    def speed_up(self) -> None:
        """Go a little faster again: the API has answered."""
        with self._count:
            if self._is_calm:
                self._slow_seconds *= _FASTER if self._slow_seconds > _FIRST_SLOW_SECONDS / 2 else 0

    @property
    def _is_calm(self) -> bool:
        return self._went_since_slower >= _CALM_REQUESTS

    def _ask(self, ask: Callable[..., Wait | None], now: int, *, is_write: bool) -> Wait | None:
        left = self._went_at + round(self._slow_seconds * _MICROSECONDS) - now
        # More than that is left where the clock was set back.
        if 0 < left <= self._slow_seconds * _MICROSECONDS:
            own = Wait(left, "slowed down because the API throttles")
            return max(own, self._ledger.look(now, is_write=is_write) or own, key=lambda wait: wait.microseconds)
        return ask(now, is_write=is_write)

    def _claim(self, now: int, *, is_write: bool) -> Wait | None:
        wait = self._ledger.claim(now, is_write=is_write)
        if wait is None:
            with self._count:
                self._went_at, self._went_since_slower = now, self._went_since_slower + 1
        return wait

    def _wait_while(self, ask: Callable[[int], Wait | None], at_most: float = 0.0) -> None:
        # One thread waits for all: the others would only wake with it and wait on.
        with self._turn:
            now = self._now()
            deadline = now + round(LONGEST_WAIT_SECONDS * _MICROSECONDS)
            while (wait := ask(now)) and wait.microseconds > at_most * _MICROSECONDS:
                if now + wait.microseconds > deadline:
                    raise _throttled(wait, self._clock())
                self.rest(wait.microseconds / _MICROSECONDS, wait.reason)
                # Sleep never ends early, a clock may be set back: do not wait for the same stretch twice.
                now = max(self._now(), now + wait.microseconds)

    def pause(self, seconds: float) -> None:
        """Let no process of this data directory go for `seconds`: an answer has asked for it."""
        now = self._now()
        self._ledger.pause(now, now + round(seconds * _MICROSECONDS))

    def close(self) -> None:
        """Give the file back."""
        self._ledger.close()

    def rest(self, seconds: float, reason: str) -> None:
        """Sleep, told and counted; for this thread only."""
        if self._on_wait and seconds >= _SHORTEST_TOLD_WAIT:
            self._on_wait(seconds, reason)
        self._sleep(seconds)
        with self._count:
            self.waited_seconds += seconds

    def _now(self) -> int:
        return (self._clock() - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _throttled(wait: Wait, now: datetime) -> ThrottledError:
    again = now + timedelta(microseconds=wait.microseconds)
    return ThrottledError(
        f"Stopped, resumable: {wait.reason} for another {wait.microseconds / _MICROSECONDS:.0f} s; "
        f"run the same command again after {again.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC."
    )


def limits_of(settings: Settings) -> list[Limit]:
    """The limits that are switched on."""
    limits = [
        Limit(int(settings.request_spacing_ms > 0), settings.request_spacing_ms / 1000, "spacing of requests"),
        Limit(settings.requests_per_minute, 60, "NEXUDUS_REQUESTS_PER_MINUTE is used up"),
        Limit(
            min(_WRITES_PER_MINUTE, settings.requests_per_minute),
            60,
            "the API's limit of writes is used up",
            of_writes=True,
        ),
        Limit(settings.requests_per_hour, 3600, "NEXUDUS_REQUESTS_PER_HOUR is used up"),
    ]
    return [replace(limit, seconds=limit.seconds + _JITTER_SECONDS) for limit in limits if limit.count]


def ledger_for(settings: Settings) -> Ledger:
    """The ledger of the data directory, or, with every limit off, one that touches no file."""
    limits = limits_of(settings)
    return SharedLedger(settings.data_dir / "request_pace.sqlite", limits) if limits else OwnLedger()
