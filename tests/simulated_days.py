"""Series of days as a billing business makes them, by chance with a seed: what the detector is tried on."""

import math
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

import polars as pl

FIRST = date(2025, 1, 1)
KNOWN_DAYS, DAYS = 183, 365
FAILING = 0.1
COLUMNS = ("business_id", "currency_code", "day_date", "attempt_count", "failed_attempt_count", "entry_count")

Change = Callable[[Random, int, int, int], tuple[int, int]]
Volume = Callable[[Random, int], float]


def even(day: date) -> float:
    return 1.0


def working_days(day: date) -> float:
    return 0.1 if day.weekday() > 4 else 1.0


def monthly(day: date) -> float:
    """The 1st eight times and the 2nd to 4th three times the mean."""
    return {1: 8.0, 2: 3.0, 3: 3.0, 4: 3.0}.get(day.day, 0.5)


CALENDARS = {"even": even, "working days": working_days, "monthly": monthly}


def poisson(dice: Random, mean: float) -> int:
    """Knuth's way, in pieces small enough for it."""
    count = 0
    while mean > 0:
        piece = min(mean, 30.0)
        product, floor = dice.random(), math.exp(-piece)
        while product > floor:
            count, product = count + 1, product * dice.random()
        mean -= piece
    return count


def shares(calendar: Callable[[date], float]) -> list[float]:
    """Each day's share of the attempts; 1 is the mean."""
    weights = [calendar(FIRST + timedelta(days=day)) for day in range(DAYS)]
    return [weight * DAYS / sum(weights) for weight in weights]


def unchanged(dice: Random, day: int, failed: int, succeeded: int) -> tuple[int, int]:
    return failed, succeeded


def simulate(
    seed: object,
    series_count: int,
    failures_a_day: float,
    calendar: Callable[[date], float] = even,
    change: Change = unchanged,
    *,
    volume: Volume = lambda _dice, _day: 1.0,
) -> pl.DataFrame:
    """A frame for `find_incidents`: failures and successes of a day are Poisson, so one attempt in ten fails.

    `change` may alter the (failed, succeeded) of a day, `volume` multiplies its expected attempts.
    """
    dice = Random(str(seed))
    weights = shares(calendar)
    rows = []
    for business in range(1, series_count + 1):
        for day, weight in enumerate(weights):
            mean = failures_a_day * weight * volume(dice, day)
            drawn = poisson(dice, mean), poisson(dice, mean * (1 - FAILING) / FAILING)
            failed, succeeded = change(dice, day, *drawn)
            tried = failed + succeeded
            rows.append((business, "GBP", FIRST + timedelta(days=day), tried, failed, tried))
    return pl.DataFrame(rows, schema=list(COLUMNS), orient="row")


def doubling(turn: int) -> Change:
    """From `turn` on two attempts in ten fail."""

    def change(dice: Random, day: int, failed: int, succeeded: int) -> tuple[int, int]:
        more = sum(dice.random() < FAILING / (1 - FAILING) for _ in range(succeeded)) if day >= turn else 0
        return failed + more, succeeded - more

    return change


def burst(turn: int, count: int = 5) -> Change:
    """On `turn` that number of further attempts, all failing."""
    return lambda _dice, day, failed, succeeded: (failed + count * (day == turn), succeeded)


def stop(turn: int) -> Change:
    """From `turn` on nothing."""
    return lambda _dice, day, failed, succeeded: (failed, succeeded) if day < turn else (0, 0)


def retried(dice: Random, day: int, failed: int, succeeded: int) -> tuple[int, int]:
    """Half of the failures are tried again on the same day, up to four times: they come in clusters."""
    return sum(1 + (dice.random() < 0.5) * dice.randrange(1, 5) for _ in range(failed)), succeeded
