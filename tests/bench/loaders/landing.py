"""What our landing assets do, in their order, without loading Dagster; with `reconcile` in its argument, that too.

With `invoices` in it the invoices follow the entries. Prints what it did as one line of JSON.
"""

import json
import sys
import time as clock
from datetime import UTC, datetime, time, timedelta

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.invoices import INVOICES
from pipelines.extract.windows import Window, floor_minute
from pipelines.land.catching_up import catch_up
from pipelines.land.ledger import closed_windows
from pipelines.land.pull import Pull, close_before_first_entry, planned_windows
from pipelines.land.pull_settings import pull_for
from pipelines.land.reconcile import reconcile
from pipelines.land.refresh import windows_to_refresh
from pipelines.land.total_count import land_missed
from pipelines.land.warehouse import LANDING, open_warehouse
from pipelines.settings import Settings, utc_now

sys.modules["pandas"] = None  # as `nexudus-billing` does
name = " ".join(sys.argv[1:]) or "landing"
settings = Settings(_env_file=None)
settle, lookback = timedelta(minutes=settings.settle_minutes), timedelta(minutes=settings.lookback_minutes)
history = Window(datetime.combine(settings.history_start, time(), UTC), floor_minute(utc_now() - settle))
began = clock.perf_counter()
with NexudusClient(settings) as client, open_warehouse(settings, limits=LANDING) as connection:
    source, size = EntitySource(client, settings, HISTORIES), settings.page_size
    pull = Pull(connection, source, size, name, settle, workers=settings.concurrent_requests)

    def read_newest():
        pull.read(
            UPDATED_ON, planned_windows(connection, HISTORIES, UPDATED_ON, history, lookback=lookback, page_size=size)
        )

    close_before_first_entry(pull, history)
    read_newest()
    if "reconcile" in name:
        (covered,) = closed_windows(connection, HISTORIES, UPDATED_ON)
        reconcile(pull, covered, read_newest)
    else:
        for axis in HISTORIES.further_axes:
            pull.read(axis, windows_to_refresh(connection, HISTORIES, axis, history.end, lookback))
        land_missed(pull, history)
pulls = {"entries": pull}
requests = client.data_request_count
if "invoices" in name:  # an asset of its own
    with NexudusClient(settings) as client, open_warehouse(settings, limits=LANDING) as connection:
        pulls["invoices"] = pull_for(settings, connection, client, name, INVOICES)
        catch_up(pulls["invoices"], history, lookback)
        requests += client.data_request_count
seconds = clock.perf_counter() - began
print(
    json.dumps(
        {
            "requests": requests,
            "rows": pull.report.rows._asdict(),
            "new": {what: one.report.rows.new for what, one in pulls.items()},
            "deleted": pull.report.deleted_count,
            "seconds": round(seconds, 1),
        }
    )
)
