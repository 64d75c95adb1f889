"""How often the detector is right: false alarms, and what it finds, on simulated series.

    uv run python tests/bench/incident_detection.py [--series 200] [--seeds 1 2 3]

Half a year is known, half a year watched; one attempt in ten fails. Every change comes on a day of the watched
half that differs by seed. Prints a line per rate and calendar, then harder cases.
"""

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulated_days import (
    CALENDARS,
    DAYS,
    FIRST,
    KNOWN_DAYS,
    burst,
    doubling,
    even,
    retried,
    simulate,
    stop,
)

from pipelines.model.incidents import find_incidents

RATES = (0.1, 0.3, 1, 2, 5)
WATCHED = FIRST + timedelta(days=KNOWN_DAYS)


def false_alarms(frame: pl.DataFrame, series_count: int) -> str:
    """Incidents detected in the watched half, by kind, per 1,000 series-days."""
    found = find_incidents(frame).filter(pl.col("detected_on_date") >= WATCHED)
    scale = 1000 / (series_count * (DAYS - KNOWN_DAYS))
    kinds = dict(found["incident_kind"].value_counts().rows())
    parts = " ".join(f"{kind} {kinds.get(kind, 0) * scale:.2f}" for kind in ("rate_shift", "burst", "silence"))
    return f"{len(found) * scale:4.2f} ({parts})"


def share_found(frame: pl.DataFrame, turn: int, days: int, kinds: set[str], series_count: int) -> tuple[float, float]:
    """Share of the series with a detection in the days from the turn on, and the median delay of those."""
    start = FIRST + timedelta(days=turn)
    found = find_incidents(frame).filter(
        pl.col("incident_kind").is_in(kinds)
        & pl.col("detected_on_date").is_between(start, start + timedelta(days=days), closed="left")
    )
    first = found.group_by("business_id").agg(pl.col("detected_on_date").min())
    delays = (first["detected_on_date"] - start).dt.total_days()
    return len(first) / series_count, float(delays.median() or 0)


def bench(seed: int, count: int) -> None:
    """The grid of rates and calendars."""
    turn = KNOWN_DAYS + 20 + Random(seed).randrange(60)
    print(f"\nseed {seed}, {count} series a cell, change on day {turn}")
    print(
        f"{'failures/day calendar      false alarms per 1,000 series-days':<76} doubled, 28 d  +5, same day  stop, 14 d"
    )
    for rate in RATES:
        for name, calendar in CALENDARS.items():
            cell = (seed, rate, name)
            calm = false_alarms(simulate(cell, count, rate, calendar), count)
            shifts, kinds = simulate((*cell, "double"), count, rate, calendar, doubling(turn)), {"rate_shift"}
            doubled, delay = share_found(shifts, turn, 28, kinds, count)
            bursts = simulate((*cell, "burst"), count, rate, calendar, burst(turn))
            burst_found, _ = share_found(bursts, turn, 1, {"burst", "rate_shift"}, count)
            stopped, _ = share_found(
                simulate((*cell, "stop"), count, rate, calendar, stop(turn)), turn, 14, {"silence"}, count
            )
            print(
                f"{rate:>12} {name:<13} {calm:<52} {doubled:5.1%}, {delay:2.0f} d {burst_found:12.1%} {stopped:11.1%}",
                flush=True,
            )


def harder(seed: int, count: int) -> None:
    """False alarms where attempts are no calm Poisson stream."""
    cases = {
        "daily volume varies (gamma, shape 1)": {"volume": lambda dice, _day: dice.expovariate(1)},
        "volume grows threefold": {"volume": lambda _dice, day: 0.5 + day / DAYS},
        "volume falls to a third": {"volume": lambda _dice, day: 1.5 - day / DAYS},
        "business starts on day 150": {"volume": lambda _dice, day: float(day >= 150)},
        "failures retried on the day": {"change": retried},
    }
    print("\nfalse alarms per 1,000 series-days, even calendar")
    for name, how in cases.items():
        for rate in (0.3, 2):
            frame = simulate((seed, name, rate), count, rate, even, **how)
            print(f"  {name:<40} {rate:>4}/day  {false_alarms(frame, count)}", flush=True)


def speed() -> None:
    """200 series of a year at five failures a day."""
    frame = simulate("speed", 200, 5, even)
    begun = time.process_time()
    find_incidents(frame)
    print(f"\n200 series x {DAYS} days: {time.process_time() - begun:.1f} s of processor time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    arguments = parser.parse_args()
    for number in arguments.seeds:
        bench(number, arguments.series)
        harder(number, arguments.series)
    speed()
