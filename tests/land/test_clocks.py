"""A server's clock that is wrong, or another one each time, keeps no entry and no payment away."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.land import ledger
from pipelines.land.pull import Pull, planned_windows
from pipelines.land.refresh import windows_to_refresh
from pipelines.sandbox.operators import make_operator

PAGE = 100
YEAR = 365 * 86_400


@pytest.fixture
def sandbox_operator():
    return make_operator(size=300, months=2)


class Synced:
    """Syncs and the changes between them. `ours` is how far this machine's clock is ahead of the server's."""

    def __init__(self, sandbox, connection, source, ours):
        self.sandbox, self.connection, self.source, self.ours = sandbox, connection, source, timedelta(seconds=ours)
        self.run_count = 0

    def now(self):
        return self.sandbox.clock.now_at() + self.ours

    def sync(self, skew):
        """With a `Date` that far ahead, in seconds; None: without one."""
        self.sandbox.knobs.date_header = skew is not None
        self.sandbox.knobs.date_header_skew_seconds = skew or 0
        self.run_count += 1
        history = Window(datetime(2012, 1, 1, tzinfo=UTC), floor_minute(self.now()) - 5 * MINUTE)
        pull = Pull(
            self.connection,
            self.source,
            page_size=PAGE,
            run_id=f"run {self.run_count}",
            settle=5 * MINUTE,
            clock=self.now,
        )
        planned = planned_windows(self.connection, HISTORIES, UPDATED_ON, history, lookback=60 * MINUTE, page_size=PAGE)
        pull.read(UPDATED_ON, planned)
        for axis in HISTORIES.further_axes:
            windows = windows_to_refresh(self.connection, HISTORIES, axis, history.end, 60 * MINUTE, page_size=PAGE)
            pull.read(axis, windows)

    def passes(self, **time):
        """Some time, in the middle of which an entry is made, one is changed and an invoice is paid."""
        self.sandbox.clock.advance(timedelta(**time) / 2)
        store = self.sandbox.store
        store.insert(next(iter(store.invoices)), "Payment Result", "FAILED: Insufficient funds.")
        store.update(store.by_id.items[self.run_count].id, name="Amended")
        store.pay(next(one.id for one in store.invoices.values() if one.paid_on is None and one.entries))
        self.sandbox.clock.advance(timedelta(**time) / 2)

    def check(self):
        """What the API has is here."""
        rows = self.connection.execute(
            "select id, name, coworker_invoice_paid_on from land.coworker_invoice_histories"
        ).fetchall()
        there = [(row["Id"], row["Name"], row["CoworkerInvoicePaidOn"]) for row in self.sandbox.store.truth()]
        assert sorted(rows, key=str) == sorted(there, key=str)


@pytest.fixture
def synced(sandbox, warehouse, histories_of):
    return lambda ours=0: Synced(sandbox, warehouse, histories_of(sandbox), ours)


@pytest.mark.fault("`Date` an hour to a year ahead or behind, or missing", "one sync", "exact after the next run")
@pytest.mark.parametrize("skew", [7200, 5 * 86_400, YEAR, -YEAR, None])
def test_a_sync_by_a_wrong_clock_spoils_no_later_one(synced, skew):
    sandbox = synced()

    for one in (0, skew, 0, 0):
        sandbox.sync(one)
        sandbox.passes(hours=2)
    sandbox.sync(0)

    sandbox.check()


@pytest.mark.fault("`Date` an hour to a year ahead or behind, or missing", "every sync", "exact")
@pytest.mark.parametrize("skew", [7200, YEAR, -YEAR, None])
def test_a_clock_that_is_always_wrong_is_read_exactly_and_minutes_are_closed_all_the_same(synced, skew):
    sandbox = synced()

    for _ in range(4):
        sandbox.sync(skew)
        sandbox.passes(hours=2)
    sandbox.sync(skew)

    sandbox.check()
    (closed,) = ledger.closed_windows(sandbox.connection, HISTORIES, UPDATED_ON)
    assert sandbox.now() - timedelta(hours=3) < closed.end <= sandbox.now()


@pytest.mark.fault("servers whose clocks differ by hours", "every other sync", "exact")
def test_servers_with_different_clocks_are_read_exactly(synced):
    sandbox = synced()

    for skew in (0, 7200, -3600, 18_000, 0, 7200):
        sandbox.sync(skew)
        sandbox.passes(hours=1)
    sandbox.sync(0)

    sandbox.check()


@pytest.mark.fault("this machine's clock hours ahead, and no `Date`", "every sync", "exact")
def test_our_own_clock_ahead_keeps_no_payment_away(synced):
    sandbox = synced(ours=3 * 3600)

    for _ in range(3):
        sandbox.sync(None)
        sandbox.passes(hours=1)
    sandbox.sync(None)

    sandbox.check()


@pytest.mark.fault("`Date` a year ahead", "first sync", "exact")
def test_nothing_is_stored_from_a_clock_that_ours_contradicts(synced):
    sandbox = synced()

    sandbox.sync(YEAR)

    ((first, newest, closed),) = sandbox.connection.execute(
        """
        select min(first_seen_at), max(seen_at), max(closed_at)
        from land.coworker_invoice_histories, land.windows
        """
    ).fetchall()
    assert max(first, newest, closed) <= sandbox.now()
