"""Entries of invoices paid or refunded since are read again; and what the runs of a tenant's life cost in questions."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.land import ledger
from pipelines.land import pull as pulling
from pipelines.land.pull import Pull, close_before_first_entry, planned_windows
from pipelines.land.refresh import windows_to_refresh
from pipelines.sandbox.operators import make_operator

PAGE = 100


@pytest.fixture
def sandbox_operator():
    return make_operator(size=900, months=3)


class Syncs:
    """Syncs of one sandbox, one after the other."""

    def __init__(self, sandbox, connection, source):
        self.sandbox, self.connection, self.source = sandbox, connection, source
        self.start = datetime(2012, 1, 1, tzinfo=UTC)
        self.count = 0

    def __call__(self, *repull):
        """Sync, and return what it did and how many questions it took."""
        asked, self.count = self.sandbox.requests.data_count, self.count + 1
        until = floor_minute(self.sandbox.clock.now_at()) - 5 * MINUTE
        history = Window(self.start, until)
        pull = Pull(self.connection, self.source, PAGE, f"run {self.count}", 5 * MINUTE, workers=2)
        close_before_first_entry(pull, history)
        lookback = {"lookback": 60 * MINUTE, "page_size": PAGE}
        pull.read(UPDATED_ON, [*planned_windows(self.connection, HISTORIES, UPDATED_ON, history, **lookback), *repull])
        for axis in HISTORIES.further_axes:
            pull.read(axis, windows_to_refresh(self.connection, HISTORIES, axis, until, 60 * MINUTE))
        return pull.report, self.sandbox.requests.data_count - asked


@pytest.fixture
def sync(sandbox, warehouse, histories_of):
    sandbox.clock.advance(timedelta(minutes=10))  # so that every entry has settled
    return Syncs(sandbox, warehouse, histories_of(sandbox))


def entries_of(connection, invoice_id):
    query = "select coworker_invoice_paid, coworker_invoice_refunded, seen_at, id, updated_on"
    return connection.execute(
        f"{query} from land.coworker_invoice_histories where coworker_invoice_id = $id order by id", {"id": invoice_id}
    ).fetchall()


def some_invoice(sandbox, *, paid):
    return next(
        one
        for one in sandbox.store.invoices.values()
        if (one.paid_on is not None) == paid and one.entries and not one.draft
    )


@pytest.mark.parametrize("event", ["pay", "refund"])
def test_entries_of_an_invoice_paid_or_refunded_since_are_read_again(sandbox, warehouse, sync, event):
    sync()
    invoice = some_invoice(sandbox, paid=event == "refund")
    before = entries_of(warehouse, invoice.id)
    sandbox.clock.advance(timedelta(hours=5))
    getattr(sandbox.store, event)(invoice.id)
    sandbox.clock.advance(timedelta(hours=5))

    report, asked = sync()

    after = entries_of(warehouse, invoice.id)
    assert all(row[0 if event == "pay" else 1] for row in after)
    assert [row[3:] for row in after] == [row[3:] for row in before], "no entry's own stamp moved"
    assert all(new[2] > old[2] for old, new in zip(before, after, strict=True))
    versions = "select count(*) from land.coworker_invoice_history_versions where id = $id"
    assert all(warehouse.execute(versions, {"id": row[3]}).fetchone() == (2,) for row in after)
    assert report.rows.changed == len(after)
    assert asked <= 5


def test_a_run_with_nothing_new_asks_three_times(sync):
    sync()

    assert sync()[1] <= 3


def test_ten_years_with_few_entries_cost_few_questions(start_sandbox, warehouse, histories_of):
    sandbox = start_sandbox(make_operator(size=360, months=120))
    sync = Syncs(sandbox, warehouse, histories_of(sandbox, page_size=1000))

    report, asked = sync()

    assert report.rows.new >= 360
    assert asked <= 12


def test_an_earlier_history_start_pulls_what_came_before_and_nothing_else(sandbox, warehouse, sync):
    all_rows = len(sandbox.store)
    sync.start = datetime(2025, 5, 15, tzinfo=UTC)
    sync()
    (some,) = warehouse.execute("select count(*) from land.coworker_invoice_histories").fetchone()
    assert 0 < some < all_rows

    sync.start = datetime(2012, 1, 1, tzinfo=UTC)
    report, asked = sync()

    assert some + report.rows.new == all_rows
    assert asked <= 1.1 * report.rows.new / PAGE + 6


def test_a_later_history_start_forgets_nothing(sandbox, warehouse, sync):
    sync()
    sync.start = datetime(2025, 6, 1, tzinfo=UTC)

    report, asked = sync()

    assert (report.rows.new, report.rows.changed) == (0, 0)
    assert asked <= 3


def test_repull_reads_a_range_again_whatever_the_ledger_says(sandbox, warehouse, sync):
    sync()
    entry = sandbox.store.by_updated_on.items[450]
    sandbox.store.update(entry.id, name="Amended", updated_on=entry.updated_on)
    assert sync()[0].rows.changed == 0
    minute = floor_minute(datetime.fromtimestamp(entry.updated_on, UTC))

    report, _ = sync(Window(minute - 60 * MINUTE, minute + 60 * MINUTE))

    assert report.rows.changed == 1


def test_an_outage_of_weeks_is_caught_up_in_one_run(sandbox, warehouse, sync):
    sync()
    for _day in range(30):
        sandbox.clock.advance(timedelta(days=1))
        sandbox.store.collect(sandbox.clock.now_at(), 20)
    sandbox.clock.advance(timedelta(hours=1))

    report, asked = sync()

    assert report.rows.new == 600
    assert asked <= 6 + 5


def test_a_large_gap_is_split_and_read_side_by_side_at_no_great_cost(sandbox, warehouse, sync, monkeypatch):
    monkeypatch.setattr(pulling, "_PAGES_PER_PART", 2)

    _, asked = sync()

    (count,) = warehouse.execute("select count(*) from land.coworker_invoice_histories").fetchone()
    assert count == len(sandbox.store)
    assert len(ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON)) == 1
    assert asked <= 9 + 4 + 5
