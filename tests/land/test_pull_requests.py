"""What later syncs ask: little, wherever batches of one instant lie."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.land import ledger
from pipelines.land.pull import Pull, planned_windows
from pipelines.sandbox.operators import make_operator

PAGE = 100
BATCH = 4 * PAGE + 50


@pytest.fixture
def sandbox_operator():
    return make_operator(size=900, months=3)


def sync(connection, source, sandbox, run_id):
    """The windows of a sync now, read; returns how many questions that took."""
    asked = sandbox.requests.data_count
    history = Window(datetime(2024, 1, 1, tzinfo=UTC), floor_minute(sandbox.clock.now_at()) - 5 * MINUTE)
    windows = planned_windows(connection, HISTORIES, UPDATED_ON, history, lookback=60 * MINUTE, page_size=PAGE)
    Pull(connection, source, page_size=PAGE, run_id=run_id, settle=5 * MINUTE).read(UPDATED_ON, windows)
    assert ledger.closed_windows(connection, HISTORIES, UPDATED_ON) == [history]
    check_that_all_is_landed(connection, sandbox, history)
    return sandbox.requests.data_count - asked


def check_that_all_is_landed(connection, sandbox, history):
    query = "select id, epoch(updated_on)::bigint from land.coworker_invoice_histories"
    landed = dict(connection.execute(query).fetchall())
    due = {e.id: e.updated_on for e in sandbox.store.by_id.items if e.updated_on < history.end.timestamp()}
    assert {entry_id: landed.get(entry_id) for entry_id in due} == due


def collect_at_night(sandbox):
    """A day passes; early in its night a batch of invoices is collected within one second."""
    sandbox.clock.advance(timedelta(days=1))
    at = floor_minute(sandbox.clock.now_at() - timedelta(hours=6))
    for invoice_id in Random(at.day).choices(list(sandbox.store.invoices), k=BATCH):
        sandbox.store.insert(invoice_id, "Payment Result", "FAILED: Insufficient funds.", created_on=at, updated_on=at)
    for position, entry in enumerate(Random(at.day).sample(sandbox.store.by_id.items, 60)):
        sandbox.store.update(entry.id, name="Amended", updated_on=at + timedelta(minutes=2 * position + 2))


def test_nights_of_batches_cost_what_their_rows_need(sandbox, warehouse, histories_of):
    source = histories_of(sandbox)
    sync(warehouse, source, sandbox, "first")
    least = -(-(BATCH + 60) // PAGE)

    for night in range(4):
        collect_at_night(sandbox)
        assert sync(warehouse, source, sandbox, f"night {night}") <= least + 6


def test_a_batch_of_an_hour_ago_is_not_read_again_in_full(sandbox, warehouse, histories_of):
    source = histories_of(sandbox)
    sandbox.clock.advance(timedelta(days=1))
    at = floor_minute(sandbox.clock.now_at()) - 20 * MINUTE
    for invoice_id in Random(1).choices(list(sandbox.store.invoices), k=20 * PAGE):
        sandbox.store.insert(invoice_id, "Invoice sent", "", created_on=at, updated_on=at)
    sync(warehouse, source, sandbox, "first")

    sandbox.clock.advance(timedelta(minutes=10))
    assert sync(warehouse, source, sandbox, "second") <= 5

    moved = [entry.id for entry in sandbox.store.by_updated_on.items[-150:]]
    for entry_id in moved:
        sandbox.store.update(entry_id, name="Amended")
    sandbox.clock.advance(timedelta(minutes=10))
    assert sync(warehouse, source, sandbox, "third") > 20
    sandbox.clock.advance(timedelta(minutes=10))
    assert sync(warehouse, source, sandbox, "fourth") <= 2 * 4 + 1


def test_a_bulk_update_of_half_the_table_in_one_second_costs_its_pages(sandbox, warehouse, histories_of):
    source = histories_of(sandbox)
    sync(warehouse, source, sandbox, "first")
    sandbox.clock.advance(timedelta(hours=3))
    half = [entry.id for entry in sandbox.store.by_id.items[::2]]
    for entry_id in half:
        sandbox.store.update(entry_id, name="Amended")
    sandbox.clock.advance(timedelta(hours=3))

    assert sync(warehouse, source, sandbox, "second") <= 1.05 * len(half) / PAGE + 6
