"""Watches whether a business falls silent: days without any entry, against the calendar that its own history shows.

Pure: the days of one business in, incidents out. A run of empty days is an incident once both hold:

- it is three days longer than the longest run of the last half year, and at least four days: what a business has done
  before (weekends, monthly billing, holidays) is its calendar;
- its chance is below one in 100,000: the gamma-Poisson (negative binomial) probability of no entry in the run, given
  the entries of the twelve weeks before it. Each day counts by its share of entries: that of its weekday times that of
  its day of the month over the last year. Entries that come in batches count as batches (their overdispersion).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import pairwise, takewhile

from pipelines.model.rate_watch import Found

RUN_WINDOW_DAYS = 182
LONGER_BY_DAYS = 3
SHORTEST_DAYS = 4
NEEDED_DAYS = 56
NEEDED_ENTRIES = 10
CALENDAR_DAYS = 364
LEVEL_DAYS = 84
PRIOR_DAYS = 1.0
CHANCE = 1e-5

Share = Callable[[int], float]


def silences(first: date, entries: Sequence[int]) -> list[Found]:
    """The silences of one business, by day number; `entries` has a count for `first` and each day after it."""
    found: list[Found] = []
    runs: list[tuple[int, int]] = []
    busy = [day for day, count in enumerate(entries) if count]
    for last, end in pairwise([*busy, len(entries)]):
        start = last + 1
        recent = takewhile(lambda run: run[0] >= start - RUN_WINDOW_DAYS, reversed(runs))  # noqa: B023 - used at once
        needed = max(SHORTEST_DAYS, max((length for _, length in recent), default=0) + LONGER_BY_DAYS)
        silence = _silence(first, entries, start, end, needed) if end - start >= needed else None
        if silence:
            found.append(silence)
        elif end > start:
            runs.append((start, end - start))
    return found


def _silence(first: date, entries: Sequence[int], start: int, end: int, needed: int) -> Found | None:
    """The incident in the run of empty days from `start` to before `end`, if there is one."""
    known = range(max(0, start - LEVEL_DAYS), start)
    count = sum(entries[day] for day in known)
    if start < NEEDED_DAYS or count < NEEDED_ENTRIES:
        return None
    share = _calendar(first, entries, start)
    exposure = sum(map(share, known))
    expected = [share(day) * count / exposure for day in known]
    spread = sum((entries[day] - mean) ** 2 / mean for day, mean in zip(known, expected, strict=True)) / len(known)
    batches = count / max(1.0, spread)
    missed = 0.0
    for day in range(start, end):
        missed += share(day)
        chance = float((exposure / (exposure + missed)) ** batches)
        if day + 1 - start >= needed and chance < CHANCE:
            ended = end - 1 if end < len(entries) else None
            return Found("silence", start, day, ended, day + 1 - start, 0, missed * count / exposure, None, chance)
    return None


def _calendar(first: date, entries: Sequence[int], until: int) -> Share:
    """What share of an average day's entries a day has, by its weekday and its day of the month."""
    days = range(max(0, until - CALENDAR_DAYS), until)
    mean = sum(entries[day] for day in days) / len(days)

    def weekday(day: int) -> int:
        return (first + timedelta(days=day)).weekday()

    def month_day(day: int) -> int:
        return (first + timedelta(days=day)).day

    by_month_day = _factors(days, entries, month_day, lambda _: mean)
    by_weekday = _factors(days, entries, weekday, lambda day: mean * by_month_day[month_day(day)])
    return lambda day: by_weekday[weekday(day)] * by_month_day[month_day(day)]


def _factors(days: Sequence[int], entries: Sequence[int], key: Callable[[int], int], mean: Share) -> dict[int, float]:
    """How many times the mean the days of each key have, shrunk to 1 by the weight of an average day."""
    seen: dict[int, float] = defaultdict(float)
    due: dict[int, float] = defaultdict(float)
    for day in days:
        seen[key(day)] += entries[day]
        due[key(day)] += mean(day)
    weight = PRIOR_DAYS * sum(due.values()) / len(days)
    return defaultdict(lambda: 1.0, {name: (seen[name] + weight) / (due[name] + weight) for name in seen})
