"""1,000 accounts under the documented limits: how long first and daily syncs take on so many worker slots and cores.

    uv run python tests/bench/accounts_simulation.py [--accounts 1000] [--cpu-per-page 0.05] [--cpu-per-sync 8]

No network. When a request may go is asked of the program's own pacing code with a clock that the simulation moves;
limits are an account's own, so accounts do not slow each other. CPU seconds are those that compare_loaders.py measures.
Sizes are log-normal: half of the accounts have fewer than 50,000 entries, one in a hundred more than 1.6 million.
"""

import argparse
import heapq
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.extract.pacing import ledger_for
from pipelines.settings import Settings

PAGE_SIZE = 1000
DAILY_REQUESTS_BESIDE_PAGES = 5
SLOTS = (4, 16, 64, 256)


def paced(count: int) -> list[float]:
    """Seconds after the first at which each of `count` requests of one account may go at the earliest."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = ledger_for(Settings(_env_file=None, data_dir=Path(folder)))
        start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
        now, went = start, []
        while len(went) < count:
            wait = ledger.claim(now, is_write=False)
            if wait is None:
                went.append((now - start) / 1e6)
            else:
                now += wait.microseconds
        ledger.close()
    return went


def makespan(jobs: list[tuple[float, float]], slots: int, cores: int) -> float:
    """Seconds until all jobs, each (paced seconds, CPU seconds), are done by `slots` workers on `cores` cores."""
    free = [0.0] * slots
    for pace_seconds, cpu_seconds in sorted(jobs, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + max(pace_seconds, cpu_seconds))
    return max(*free, sum(cpu for _, cpu in jobs) / cores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--cpu-per-page", type=float, default=0.05, help="CPU seconds that 1,000 entries take to land")
    parser.add_argument("--cpu-per-sync", type=float, default=8.0, help="CPU seconds of a sync beside its pages")
    parser.add_argument("--daily-share", type=float, default=0.01, help="entries that change in a day")
    options = parser.parse_args()
    dice = random.Random(9)
    sizes = [min(10_000_000, int(dice.lognormvariate(10.8, 1.5))) for _ in range(options.accounts)]
    went = paced(10_000_000 // PAGE_SIZE * 21 // 20 + 20)
    print(f"{options.accounts:,} accounts, {sum(sizes):,} entries; the largest {max(sizes):,}")
    for size in (50_000, 200_000, 1_000_000, 10_000_000):
        requests = size // PAGE_SIZE * 21 // 20 + 5
        took = timedelta(seconds=int(went[requests]))
        print(f"first sync of {size:>10,} entries: {requests:>6,} requests, {took} h")
    for name, share in (("first", 1.0), ("daily", options.daily_share)):
        jobs = []
        for size in sizes:
            pages = -(-int(size * share) // PAGE_SIZE)
            requests = pages * 21 // 20 + DAILY_REQUESTS_BESIDE_PAGES
            jobs.append((went[requests], options.cpu_per_sync + pages * options.cpu_per_page))
        requests = sum(-(-int(size * share) // PAGE_SIZE) + DAILY_REQUESTS_BESIDE_PAGES for size in sizes)
        print(
            f"\n{name} syncs: {requests:,} requests, {sum(cpu for _, cpu in jobs) / 3600:.1f} CPU hours\n\n"
            "| worker slots | cores | hours |\n|---:|---:|---:|"
        )
        for slots in SLOTS:
            for cores in (2, 8, 32):
                print(f"| {slots} | {cores} | {makespan(jobs, slots, cores) / 3600:.2f} |")


if __name__ == "__main__":
    main()
