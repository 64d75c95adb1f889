"""Watches how many of a day's attempts fail: a rise of the rate that lasts or creeps, and single days far above it.

Pure: the days of one series in, incidents out. A day is judged by what was known up to its evening, not by later days.

- The usual rate is that of up to a year, without the days of incidents, that ends three weeks before the day, so that a
  slow rise does not teach it.
- Shift: Page's CUSUM (Biometrika 41, 1954) of the log-likelihood ratio of failures given attempts, in the risk-adjusted
  form of Steiner et al. (Biostatistics 1, 2000): a billing day has more attempts, so its failures are no news. Two of
  them run, for odds that rise by 1.8 (less for busy series) and by 4. The shift began on the day since which the
  likelihood ratio is largest (Hinkley, Biometrika 58, 1971).
- Its end: the same statistic, run backwards from the raised rate to the usual one. The better a rise is established,
  the more evidence ends it; one that gathers no further evidence for a long time ends too.
- Failures come in clusters (one customer's retries), and a short history leaves the usual rate uncertain: evidence is
  divided by the overdispersion of weeks (quasi-likelihood; McCullagh and Nelder, Generalized Linear Models, 1989), and
  weighs less the longer it is gathered against a short history.
- Burst: a day whose failures are beyond chance by the beta-binomial distribution, given its attempts.

The limits are set by simulation (`tests/bench/incident_detection.py`) for about one false alarm in 1,000 days.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.model.usual_rates import Usual, chance, usual_rate

WINDOW_DAYS = 364
GUARD_DAYS = 21
REFRESH_DAYS = 7

LASTING_RISE, STEEP_RISE = 1.8, 4.0
# Evidence, in nats, that makes an alarm, by the expected failures a day, for busy series gather chance evidence faster.
LASTING_LIMIT, LASTING_SLOPE = 4.6, 0.6
STEEP_LIMIT, STEEP_SLOPE = 6.1, 0.7
LOWEST_LIMIT, HIGHEST_LIMIT = 3.7, 8.0
NEEDED_FAILURES = 3
UNCERTAINTY_WEIGHT = 0.5
# A burst alone is no lasting rise: it counts for at most this part of the limit.
BURST_SHARE = 0.6
END_LIMIT, END_SLOPE, HIGHEST_END_LIMIT = 1.0, 1 / 1.5, 6.0
# A shift without new evidence over this many expected failures, or days, has ended.
STALE_FAILURES, STALE_DAYS = 30.0, 56
BURST_CHANCE = 1e-3


class Found(NamedTuple):
    """An incident by day numbers, and what it was like up to its detection. `watched` are attempts, or silent days."""

    kind: str
    started: int
    detected: int
    ended: int | None
    watched: int
    observed: int
    expected: float
    usual_ratio: float | None
    chance: float


class Cusum:
    """Evidence that the odds of a failure have risen by `rise`, since when, and on how many attempts it rests."""

    def __init__(self, rise: float) -> None:
        self.rise, self.evidence, self.limit = rise, 0.0, math.inf
        self.started = self.attempts = self.failures = 0
        self._known = self._by_failure = self._by_success = 0.0

    def learn(self, usual: Usual) -> None:
        """Take over from the usual rate what a failure and a success are evidence of."""
        odds_ratio = 1 + (self.rise - 1) / max(1.0, usual.failures_a_day) ** 0.3
        raised = usual.ratio * odds_ratio / (1 + usual.ratio * (odds_ratio - 1))
        self._by_failure = math.log(raised / usual.ratio) / usual.weekly_dispersion
        self._by_success = math.log((1 - raised) / (1 - usual.ratio)) / usual.weekly_dispersion
        self._known = usual.attempts
        level, slope = (STEEP_LIMIT, STEEP_SLOPE) if self.rise == STEEP_RISE else (LASTING_LIMIT, LASTING_SLOPE)
        self.limit = min(HIGHEST_LIMIT, max(LOWEST_LIMIT, level + slope * math.log(usual.failures_a_day)))

    def weigh(self, tried: int, failed: int) -> float:
        """The log-likelihood ratio of a day: above 0 it speaks for the raised rate."""
        return failed * self._by_failure + (tried - failed) * self._by_success

    def add(self, day: int, tried: int, failed: int, *, is_burst: bool) -> bool:
        """Add a day; True where the rate has risen beyond chance."""
        if self.evidence == 0:
            self.started, self.attempts, self.failures = day, 0, 0
        self.attempts, self.failures = self.attempts + tried, self.failures + failed
        step = self.weigh(tried, failed) * self._known / (self._known + UNCERTAINTY_WEIGHT * self.attempts)
        self.evidence = max(0.0, self.evidence + (min(step, BURST_SHARE * self.limit) if is_burst else step))
        return self.evidence > self.limit and self.failures >= NEEDED_FAILURES


class _Rise:
    """A shift that lasts: whether it has ended, by evidence for the usual rate or for want of evidence against it."""

    def __init__(self, place: int, started: int, detected: int, weighing: Cusum) -> None:
        self.place, self.started, self._weighing = place, started, weighing
        self._back = self._gained = self._most = self._stale = 0.0
        self._raised_on = self._peak_on = detected

    def ended_on(self, day: int, tried: int, failed: int, usual: Usual) -> int | None:
        """Add a day; the last day of the shift where it is known to have ended."""
        step = self._weighing.weigh(tried, failed)
        self._gained, self._back = self._gained + step, max(0.0, self._back - step)
        self._stale += tried * usual.ratio
        if self._gained > self._most:
            self._most, self._stale, self._peak_on = self._gained, 0.0, day
        if self._back == 0:
            self._raised_on = day
        if self._back > min(HIGHEST_END_LIMIT, END_LIMIT + END_SLOPE * self._most):
            return self._raised_on
        is_stale = self._stale > STALE_FAILURES or day - self._peak_on > STALE_DAYS
        return self._peak_on if is_stale else None


def rate_incidents(attempts: Sequence[int], failures: Sequence[int]) -> list[Found]:
    """The bursts and rate shifts of one series of days, by day number, in the order of their detection."""
    found: list[Found] = []
    watch = _RateWatch(attempts, failures, 0, found)
    for day in range(len(attempts)):
        watch = watch.judge(day)
    return [one if one.ended != len(attempts) - 1 else one._replace(ended=None) for one in found]


class _RateWatch:
    """Judges the days of one series from day `since` on. `clean` are its days without those of incidents.

    While a shift lasts, a second watch takes the raised rate for the usual one, so that a further rise is found.
    """

    def __init__(self, attempts: Sequence[int], failures: Sequence[int], since: int, found: list[Found]) -> None:
        self.attempts, self.failures, self.since, self.found = attempts, failures, since, found
        self.clean = (list(attempts), list(failures))
        self.usual: Usual | None = None
        self.rise: _Rise | None = None
        self.above = self
        self._start_afresh(since)

    def judge(self, day: int) -> "_RateWatch":
        """Judge a day; returns the watch for the days after it."""
        if self.rise and self.usual:
            return self._follow(day, self.rise, self.usual)
        if day >= self.renewed_on + REFRESH_DAYS:
            self._renew(day)
        if self.usual and self.attempts[day]:
            self._look_for_rise(day, self.usual)
        return self

    def _start_afresh(self, day: int) -> None:
        self.renewed_on = day - REFRESH_DAYS
        self.cusums = (Cusum(LASTING_RISE), Cusum(STEEP_RISE))

    def _renew(self, day: int) -> None:
        until = day - min(GUARD_DAYS, (day - self.since) // 4)
        span = slice(max(self.since, until - WINDOW_DAYS), until)
        self.usual, self.renewed_on = usual_rate(self.clean[0][span], self.clean[1][span]), day
        if self.usual:
            for cusum in self.cusums:
                cusum.learn(self.usual)

    def _look_for_rise(self, day: int, usual: Usual) -> None:
        tried, failed, is_burst = self.attempts[day], self.failures[day], self._is_burst(day, usual)
        alarms = [cusum for cusum in self.cusums if cusum.add(day, tried, failed, is_burst=is_burst)]
        if alarms:
            started, tried, failed = self._beginning(min(alarm.started for alarm in alarms), day, usual)
            self.rise = _Rise(len(self.found), started, day, self.cusums[0])
            self.above = _RateWatch(self.attempts, self.failures, day + 1, self.found)
            odds, expected = chance(failed, tried, usual, correlation=0.0), tried * usual.ratio
            self.found.append(Found("rate_shift", started, day, None, tried, failed, expected, usual.ratio, odds))

    def _is_burst(self, day: int, usual: Usual) -> bool:
        tried, failed = self.attempts[day], self.failures[day]
        expected = tried * usual.ratio
        if failed < NEEDED_FAILURES or failed < expected + 2 * math.sqrt(expected * (1 - usual.ratio)):
            return False
        odds = chance(failed, tried, usual, correlation=usual.daily_correlation)
        # Of more busy days more are extreme by chance.
        if odds >= BURST_CHANCE / (1 + usual.failures_a_day):
            return False
        if self.found and self.found[-1].kind == "burst" and self.found[-1].ended == day - 1:
            self.found[-1] = self.found[-1]._replace(ended=day)
        else:
            self.found.append(Found("burst", day, day, day, tried, failed, expected, usual.ratio, odds))
        self._leave_out(day, day)
        return True

    def _beginning(self, earliest: int, detected: int, usual: Usual) -> tuple[int, int, int]:
        """The likeliest first day of a shift, and the attempts and failures from there to its detection."""
        tried = failed = 0
        most, beginning = -math.inf, (detected, 0, 0)
        for day in range(detected, earliest - 1, -1):
            tried, failed = tried + self.attempts[day], failed + self.failures[day]
            ratio = (failed + usual.ratio) / (tried + 1)
            succeeded = (tried - failed) * math.log((1 - ratio) / (1 - usual.ratio))
            likelihood = failed * math.log(ratio / usual.ratio) + succeeded
            if self.failures[day] and likelihood > most:
                most, beginning = likelihood, (day, tried, failed)
        return beginning

    def _follow(self, day: int, rise: _Rise, usual: Usual) -> "_RateWatch":
        above = self.above.judge(day)
        if above.rise:
            ended = max(above.rise.started - 1, self.found[rise.place].detected)
            self.found[rise.place] = self.found[rise.place]._replace(ended=ended)
            return above
        last = rise.ended_on(day, self.attempts[day], self.failures[day], usual)
        if last is not None:
            self.found[rise.place] = self.found[rise.place]._replace(ended=last)
            self._leave_out(rise.started, last)
            self.rise = None
            self._start_afresh(day + 1)
        return self

    def _leave_out(self, first: int, last: int) -> None:
        for counts in self.clean:
            counts[first : last + 1] = [0] * (last + 1 - first)
