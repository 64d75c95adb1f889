"""How many requests syncs take where batches lie, beside the fewest that any reader of such pages would need.

    uv run python tests/bench/sync_scenarios.py           # pages of 1,000
    uv run python tests/bench/sync_scenarios.py 100       # other pages; all sizes go with them

Each scenario has a sandbox whose clock is moved on, so that days pass at once. The fewest are the pages of what is new
or changed, at least one; the questions for payments, refunds and the total count come on top in the requests.
"""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import Window, floor_minute
from pipelines.land.pull import Pull, close_before_first_entry, planned_windows
from pipelines.land.refresh import windows_to_refresh
from pipelines.land.total_count import land_missed
from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import Settings

PAGE = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
_LOOKBACK, _SETTLE = timedelta(minutes=60), timedelta(minutes=5)
random = Random(1)


def sync(name: str, sandbox: Sandbox, settings: Settings) -> None:
    """One sync as the landing asset does it; prints what it asked."""
    asked = sandbox.requests.data_count
    history = Window(datetime(2012, 1, 1, tzinfo=UTC), floor_minute(sandbox.clock.now_at()) - _SETTLE)
    with NexudusClient(settings) as client, open_warehouse(settings) as connection:
        pull = Pull(connection, EntitySource(client, settings, HISTORIES), PAGE, name, _SETTLE)
        close_before_first_entry(pull, history)
        pull.read(
            UPDATED_ON,
            planned_windows(connection, HISTORIES, UPDATED_ON, history, lookback=_LOOKBACK, page_size=PAGE),
        )
        for axis in HISTORIES.further_axes:
            pull.read(axis, windows_to_refresh(connection, HISTORIES, axis, history.end, _LOOKBACK))
        land_missed(pull, history)
    rows = pull.report.rows
    asked = sandbox.requests.data_count - asked
    least = max(1, -(-(rows.new + rows.changed) // PAGE))
    print(f"{name:<46} {asked:>5} requests (at least {least}), {rows.new:,} new, {rows.changed:,} changed", flush=True)


def update(sandbox: Sandbox, count: int, at: datetime, *, apart: timedelta = timedelta(0)) -> None:
    for position, entry in enumerate(random.sample(sandbox.store.by_id.items, count)):
        sandbox.store.update(entry.id, description="amended", updated_on=at + position * apart)


def nightly_batches(sandbox: Sandbox, settings: Settings) -> None:
    sync("first sync, 20 pages", sandbox, settings)
    for night in range(1, 6):
        sandbox.clock.advance(timedelta(days=1))
        at = floor_minute(sandbox.clock.now_at() - timedelta(hours=6))
        sandbox.store.collect(at, 3 * PAGE, spread_seconds=1)
        update(sandbox, PAGE // 10, at + timedelta(minutes=5), apart=timedelta(minutes=3))
        sync(f"night {night}: three pages in one second", sandbox, settings)


def bulk_updates(sandbox: Sandbox, settings: Settings) -> None:
    sync("first sync, 20 pages", sandbox, settings)
    for share in (2, 1):
        sandbox.clock.advance(timedelta(days=1))
        update(sandbox, len(sandbox.store) // share, sandbox.clock.now_at() - timedelta(hours=1))
        sync(f"1/{share} of all entries updated in one second", sandbox, settings)
        sandbox.clock.advance(timedelta(minutes=10))
        sync("ten minutes later", sandbox, settings)


def an_import(sandbox: Sandbox, settings: Settings) -> None:
    # One CreatedOn for all; the entries were touched since, one after the other.
    sandbox.clock.advance(timedelta(days=60))
    at = sandbox.clock.now_at() - timedelta(days=50)
    for position in range(20 * PAGE):
        updated = at + timedelta(minutes=2 * position * 1000 // PAGE)
        sandbox.store.insert(
            random.choice(list(sandbox.store.invoices)), "Invoice sent", "", created_on=at, updated_on=updated
        )
    sync("an import with one CreatedOn, 40 pages in all", sandbox, settings)


def hourly_syncs(sandbox: Sandbox, settings: Settings) -> None:
    sync("first sync, 20 pages", sandbox, settings)
    asked, begun = sandbox.requests.data_count, sandbox.clock.now_at()
    while sandbox.clock.now_at() < begun + timedelta(days=30):
        sandbox.clock.advance(timedelta(hours=1))
        if sandbox.clock.now_at().hour == 1:
            sandbox.store.collect(sandbox.clock.now_at() - timedelta(minutes=30), 2 * PAGE, spread_seconds=1)
        update(sandbox, 3, sandbox.clock.now_at() - timedelta(minutes=20), apart=timedelta(minutes=1))
        sync(f"hour {sandbox.clock.now_at():%d %H}", sandbox, settings)
    print(f"a month of hourly syncs: {sandbox.requests.data_count - asked} requests in 720 syncs")


def main() -> None:
    for scenario in (nightly_batches, bulk_updates, an_import, hourly_syncs):
        operator = make_operator(size=20 * PAGE, months=12)
        with running_sandbox(operator) as sandbox, tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                _env_file=None, base_url=sandbox.base_url, username=sandbox.username, password=sandbox.password,
                data_dir=Path(folder), page_size=PAGE, request_spacing_ms=0, requests_per_minute=0, requests_per_hour=0,
            )  # fmt: skip
            scenario(sandbox, settings)


if __name__ == "__main__":
    main()
