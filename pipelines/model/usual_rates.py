"""What rate of failures is usual for a series, how sure that is, and how likely chance alone brings that many failures.

- The usual rate: failures per attempt, weeks capped at three standard deviations (by the median of their distances, at
  least the binomial one) so that one bad week does not raise it, shrunk towards one in ten as by ten attempts.
- Overdispersion of weeks and correlation within a day, by moments of the counts so capped.
- The chance: the upper tail of the beta-binomial distribution (Skellam, JRSS B 10, 1948), whose spread is that
  correlation and the uncertainty of the usual rate.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import median

NEEDED_DAYS = 56
NEEDED_ATTEMPTS = 30
PRIOR_RATIO, PRIOR_ATTEMPTS = 0.1, 10
WEEK_DAYS, RECENT_DAYS = 7, 56
CAPPED_DEVIATIONS = 3
NORMAL_MAD = 1.4826


@dataclass(frozen=True)
class Usual:
    """The usual rate: failures per attempt and per day, the attempts it rests on, and how failures cluster."""

    ratio: float
    failures_a_day: float
    attempts: float
    weekly_dispersion: float
    daily_correlation: float


def usual_rate(attempts: Sequence[int], failures: Sequence[int]) -> Usual | None:
    """The usual rate of a span of days; None where it is too short to know one."""
    tried = sum(attempts)
    if len(attempts) < NEEDED_DAYS or tried < NEEDED_ATTEMPTS:
        return None
    starts = range(0, len(attempts), WEEK_DAYS)
    weeks: list[tuple[int, float]] = [
        (sum(attempts[day : day + WEEK_DAYS]), sum(failures[day : day + WEEK_DAYS])) for day in starts
    ]
    ratio = _shrunk(sum(failures), tried)
    distances = [abs(failed - count * ratio) / _deviation(count, ratio) for count, failed in weeks]
    cap = CAPPED_DEVIATIONS * max(1.0, NORMAL_MAD * median(distances))
    weeks = _capped(weeks, ratio, cap)
    ratio = _shrunk(sum(failed for _, failed in weeks), tried)
    variance = ratio * (1 - ratio)
    # Most days are alike, and this is asked for every week of every series: each kind of day is looked at once.
    times = {day: number for day, number in Counter(zip(attempts, failures, strict=True)).items() if day[0] > 1}
    days = _capped(times, ratio, cap)
    pairs = variance * sum(number * count * (count - 1) for (count, _), number in times.items())
    return Usual(
        ratio=ratio,
        failures_a_day=ratio * max(tried / len(attempts), sum(attempts[-RECENT_DAYS:]) / RECENT_DAYS),
        attempts=tried + PRIOR_ATTEMPTS,
        weekly_dispersion=1 + _excess(weeks, ratio) / (tried * variance),
        daily_correlation=min(0.5, _excess(days, ratio, times.values()) / pairs) if pairs else 0.0,
    )


def _shrunk(failed: float, tried: float) -> float:
    return (failed + PRIOR_RATIO * PRIOR_ATTEMPTS) / (tried + PRIOR_ATTEMPTS)


def _deviation(count: int, ratio: float) -> float:
    return math.sqrt(max(1.0, count * ratio * (1 - ratio)))


def _capped(groups: Iterable[tuple[int, float]], ratio: float, cap: float) -> list[tuple[int, float]]:
    return [(count, min(failed, count * ratio + cap * _deviation(count, ratio))) for count, failed in groups]


def _excess(groups: Iterable[tuple[int, float]], ratio: float, times: Iterable[int] = repeat(1)) -> float:
    """Variance beyond the binomial's, of groups with the number of times that each occurs."""
    unit = ratio * (1 - ratio)
    counted = zip(groups, times, strict=False)
    return max(0.0, sum(number * ((failed - count * ratio) ** 2 - count * unit) for (count, failed), number in counted))


def chance(failed: int, tried: int, usual: Usual, *, correlation: float) -> float:
    """Probability of that many failures or more by chance; the uncertainty of the usual rate is part of it."""
    precision = 1 / (correlation + 1 / usual.attempts)
    alpha, beta = usual.ratio * precision, (1 - usual.ratio) * precision
    whole = math.lgamma(tried + 1) - _log_beta(alpha, beta)
    total = 0.0
    for count in range(failed, tried + 1):
        ways = whole - math.lgamma(count + 1) - math.lgamma(tried - count + 1)
        term = math.exp(ways + _log_beta(alpha + count, beta + tried - count))
        total += term
        if count > tried * usual.ratio and term < total * 1e-12:
            break
    return min(1.0, total)


def _log_beta(alpha: float, beta: float) -> float:
    return math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)
