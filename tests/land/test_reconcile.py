"""Reconcile: what an incremental reading cannot see is found, each as what it is, and a loss too large is refused."""

import random
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.errors import BrokenPromiseError, PipelineError
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.extract.seam import NothingThereError
from pipelines.extract.windows import MINUTE, Window, floor_minute, merge
from pipelines.land import ledger
from pipelines.land import reconcile as reconciling
from pipelines.land.account import AnotherAccountError
from pipelines.land.catching_up import read_newest
from pipelines.land.losses import LossRefusedError
from pipelines.land.pull import Pull, close_before_first_entry
from pipelines.land.reconcile import OwnRows, cut_up, differing, reconcile
from pipelines.land.total_count import land_missed

sys.path.append(str(Path(__file__).parents[1] / "extract"))
from moving_table import EPOCH, MovingTable, at

PAGE = 10
SETTLE = 5 * MINUTE


@pytest.fixture
def counting(monkeypatch):
    """A small table is listed whole; here it is counted, as a large one is."""
    monkeypatch.setattr(reconciling, "_PAGES_WORTH_LISTING", 0)
    monkeypatch.setattr(reconciling, "_RANGES_PER_AXIS", 4)


class Landed:
    """A source with its warehouse, synced and reconciled as the assets do it."""

    def __init__(self, source, connection, page_size=PAGE, now=lambda: None):
        self.source, self.connection, self.page_size = source, connection, page_size
        self.now = now
        self.runs = 0

    def pull(self):
        self.runs += 1
        return Pull(self.connection, self.source, page_size=self.page_size, run_id=f"run {self.runs}", settle=SETTLE)

    def read_newest(self, pull):
        history = Window(EPOCH - timedelta(days=1000), floor_minute(self.now() - SETTLE))
        closed = ledger.closed_windows(self.connection, HISTORIES, UPDATED_ON)
        pull.read(UPDATED_ON, ledger.windows_to_pull(history, closed, 60 * MINUTE))

    def sync(self):
        pull = self.pull()
        self.read_newest(pull)
        return pull.report

    def reconcile(self, accepted_loss=0):
        pull = self.pull()
        self.read_newest(pull)
        closed = ledger.closed_windows(self.connection, HISTORIES, UPDATED_ON)
        reconcile(
            pull, Window(closed[0].start, closed[-1].end), lambda: self.read_newest(pull), accepted_loss=accepted_loss
        )
        return pull.report

    def rows(self, where):
        columns = "id, updated_on, coworker_invoice_paid_on"
        query = f"select {columns} from land.coworker_invoice_histories where {where} order by id"
        return {row_id: (updated, paid) for row_id, updated, paid in self.connection.execute(query).fetchall()}

    @property
    def live(self):
        return self.rows("deleted_at is null")

    @property
    def gone(self):
        return set(self.rows("deleted_at is not null"))

    def noted(self):
        query = "select missed_count, deleted_count, returned_count from land.reconciliations order by reconciled_at"
        return self.connection.execute(query).fetchall()[-1]


def landed_table(connection, rows, **kwargs):
    for table in ("coworker_invoice_histories", "coworker_invoice_history_versions", "windows", "reconciliations"):
        connection.execute(f"delete from land.{table}")
    table = MovingTable(rows, EPOCH + timedelta(days=400), random.Random(1), **kwargs)
    landed = Landed(table, connection, now=lambda: table.now)
    landed.sync()
    return table, landed


def spread(count, apart=3600):
    return {i: at(i * apart) for i in range(count)}


def truth(table):
    return {i: (updated, table.paid.get(i // 3)) for i, updated in table.rows.items()}


def late(table, days):
    """A commit with both stamps in the past."""
    table.next_id += 1
    row_id = 1_000_000 + table.next_id
    table.rows[row_id] = table.created[row_id] = (table.now - timedelta(days=days)).replace(microsecond=0)
    return row_id


changes = st.lists(
    st.tuples(st.sampled_from(["delete", "late", "old", "update", "undelete", "pay", "unpay"]), st.integers(0, 10**6)),
    max_size=12,
)


def change(table, what, dice, graves):
    row_id = sorted(table.rows)[dice % len(table.rows)]
    if what == "delete":
        graves[row_id] = table.rows.pop(row_id)
    elif what == "late":
        late(table, days=1 + dice % 395)
    elif what == "old":
        row_id = late(table, days=0)
        table.created[row_id] -= timedelta(days=dice % 395)
    elif what == "update":
        table.rows[row_id] = table.now.replace(microsecond=0)
    elif what == "undelete" and graves:
        row_id = sorted(graves)[dice % len(graves)]
        table.rows[row_id] = graves.pop(row_id)
    elif what == "pay":
        table.paid[row_id // 3] = (table.now - timedelta(days=dice % 30)).replace(microsecond=0)
    elif what == "unpay":
        table.paid.pop(row_id // 3, None)


def check_that_everything_is_found(connection, before, after, end, *, is_moving, is_listed):
    table, landed = landed_table(connection, spread(60, apart=6 * 86_400), filter_end=end)
    graves, known = {}, set()
    for several in (before, after):
        for what, dice in several:
            change(table, what, dice, graves)
        table.now += timedelta(minutes=20)
        table.changes_between = int(is_moving)  # only updates: what is deleted meanwhile is the next run's to find
        table.change = lambda: table.rows.update({table.rng.choice([*table.rows]): table.now.replace(microsecond=0)})
        landed.reconcile()
        table.changes_between = 0
        assert (landed.gone - known).isdisjoint(table.rows), "a row that is there was marked as gone"
        known = landed.gone
    table.now += timedelta(minutes=20)
    landed.sync()
    # A count does not see one row more and one less in the same range: each run lists a third of the months.
    for _ in range(0 if is_listed else 3):
        landed.reconcile()

    assert landed.live == truth(table)


ends = st.sampled_from(["second", "minute", "whole minute", "exclusive"])


class Grows(MovingTable):
    """Rows are added and changed; what is deleted hides a miss from a sync's count, and is for reconcile."""

    def change(self):
        now = self.now.replace(microsecond=0)
        if self.rng.random() < 0.5:
            self.next_id += 1
            self.rows[1_000_000 + self.next_id] = self.created[1_000_000 + self.next_id] = now
        else:
            self.rows[self.rng.choice(list(self.rows))] = now


LIES = st.fixed_dictionaries(
    {
        "empty_rate": st.sampled_from([0.0, 0.1, 0.5]),
        "claims_all_rate": st.sampled_from([0.0, 0.3]),
        "lag_seconds": st.sampled_from([0, 60, 240]),
        "date_skew_seconds": st.sampled_from([0, 3600, 86_400 * 365]),
        "filter_end": ends,
    }
)


def check_that_syncs_are_exact(connection, seed, lies):
    """Of a table that lies, lags and tells the wrong time while it grows; then a quiet one and a reconcile."""
    for name in ("coworker_invoice_histories", "coworker_invoice_history_versions", "windows", "total_counts"):
        connection.execute(f"delete from land.{name}")
    table = Grows(
        spread(60, apart=5 * 3600), EPOCH + timedelta(days=30), random.Random(seed), changes_between=1, **lies
    )

    def sync(number):
        history = Window(EPOCH - timedelta(days=1000), floor_minute(table.now - SETTLE))
        pull = Pull(connection, table, page_size=PAGE, run_id=f"run {number}", settle=SETTLE, clock=lambda: table.now)
        close_before_first_entry(pull, history)
        read_newest(pull, history, 60 * MINUTE)
        land_missed(pull, history)
        return pull, history

    for number in range(4):
        with suppress(PipelineError):
            sync(number)
        table.now += timedelta(minutes=30)
    table.changes_between = table.empty_rate = table.claims_all_rate = table.lag_seconds = table.date_skew_seconds = 0
    table.now += timedelta(days=1)
    pull, history = sync("quiet")
    # An empty answer where known rows have moved meanwhile may be believed: that a row moved is for reconcile to find.
    reconcile(pull, history, lambda: read_newest(pull, history, 60 * MINUTE))
    found = connection.execute("select id, updated_on from land.coworker_invoice_histories").fetchall()
    assert dict(found) == table.rows


@pytest.mark.fault("lying answers, lagging servers, wrong clocks at once", "every sync", "exact after the next run")
@example(
    42, {"empty_rate": 0.5, "claims_all_rate": 0, "lag_seconds": 0, "date_skew_seconds": 0, "filter_end": "second"}
)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), LIES)
def test_after_syncs_of_a_table_that_lies_a_quiet_one_and_a_reconcile_the_rows_are_the_source(warehouse, seed, lies):
    check_that_syncs_are_exact(warehouse, seed, lies)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), LIES)
def test_after_syncs_of_a_table_that_lies_a_quiet_one_and_a_reconcile_the_rows_are_the_source_at_length(
    warehouse, seed, lies
):
    check_that_syncs_are_exact(warehouse, seed, lies)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes, changes, ends, st.booleans())
def test_whatever_was_changed_is_found_and_nothing_mistaken(warehouse, before, after, end, is_moving):
    check_that_everything_is_found(warehouse, before, after, end, is_moving=is_moving, is_listed=True)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(changes, changes, ends), st.booleans())
def test_whatever_was_changed_is_found_by_count_at_length(warehouse, counting, drawn, is_moving):
    check_that_everything_is_found(warehouse, *drawn, is_moving=is_moving, is_listed=False)


@pytest.mark.parametrize("is_moving", [False, True])
def test_by_count_each_is_found_and_none_mistaken_for_another(warehouse, counting, is_moving):
    table, landed = landed_table(warehouse, spread(200, apart=86_400 * 2))
    del table.rows[20], table.rows[175]
    moved = table.rows[80] = table.now.replace(microsecond=0)
    late_id = late(table, days=101)
    old_id = late(table, days=0)
    table.created[old_id] = at(86_400 * 30)
    table.paid[40] = at(86_400 * 300)
    table.now += timedelta(minutes=20)
    table.changes_between = int(is_moving)
    table.change = lambda: table.rows.update({100: table.now.replace(microsecond=0)})

    report = landed.reconcile()

    assert landed.gone == {20, 175}
    assert landed.live.keys() == table.rows.keys()
    assert landed.live[80] == (moved, None)
    assert {i for i, (_, paid) in landed.live.items() if paid} == {120, 121, 122}
    assert landed.noted() == (1, 2, 0), f"{late_id} was missed; {old_id} came with the newest"
    assert report.deleted_count == 2


@pytest.mark.fault("a deletion and a late entry a minute apart", "between two syncs", "exact after the next run")
@pytest.mark.parametrize("days", [1, 30, 60, 200])
def test_a_deletion_and_a_late_entry_minutes_apart_are_found_by_three_reconciles(warehouse, counting, days):
    table, landed = landed_table(warehouse, spread(66, apart=6 * 86_400))
    late_id = late(table, days)
    near = min(range(66), key=lambda row_id: abs(table.rows[row_id] - table.rows[late_id]))
    del table.rows[near]
    table.rows[late_id] = table.created[late_id] = at(near * 6 * 86_400 + 60)

    for _ in range(3):
        landed.reconcile()

    assert landed.gone == {near}
    assert landed.live == truth(table)


class Renamed(MovingTable):
    """Rows have texts too, and may change their invoice."""

    def __post_init__(self):
        super().__post_init__()
        self.invoices, self.names = {}, {}

    def record(self, row_id):
        record = super().record(row_id)
        record.coworker_invoice_id = self.invoices.get(row_id, record.coworker_invoice_id)
        record.name = self.names.get(row_id)
        told = f', "CoworkerInvoiceId": {record.coworker_invoice_id}, "Name": "{record.name}"}}'
        record.raw = record.raw.removesuffix(b"}") + told.encode()
        return record

    def holds(self, filters, row_id):
        if filters.keys:
            return self.invoices.get(row_id, row_id // 3) in filters.keys
        return super().holds(filters, row_id)


def named(landed):
    query = "select id, name, coworker_invoice_id from land.coworker_invoice_histories where deleted_at is null"
    return {row_id: (name, invoice) for row_id, name, invoice in landed.connection.execute(query).fetchall()}


@pytest.mark.fault("UpdatedOn moves back", "between two syncs", "exact after the next run")
@pytest.mark.fault("an Id is given to another record", "between two syncs", "exact after the next run")
@pytest.mark.parametrize(
    ("is_counted", "later", "goes_back_to"),
    [
        (False, {"minutes": 20}, 36_005),
        (True, {"minutes": 20}, 36_005),
        (True, {"minutes": 20}, 86_400 * 380),
        (True, {"days": 2}, 36_005),
    ],
)
def test_what_went_back_in_time_or_is_another_record_is_found(warehouse, monkeypatch, is_counted, later, goes_back_to):
    if is_counted:
        monkeypatch.setattr(reconciling, "_PAGES_WORTH_LISTING", 0)
    monkeypatch.setattr(sys.modules[__name__], "MovingTable", Renamed)
    table, landed = landed_table(warehouse, {i: at(i * 3600 + (86_400 * 390 if i > 60 else 0)) for i in range(100)})
    table.rows[90] = table.created[90] = at(goes_back_to)
    table.names[90] = "as it was"
    del table.rows[70]
    table.now += timedelta(minutes=1)
    table.rows[70] = table.created[70] = at(goes_back_to + 120)
    table.names[70], table.invoices[70] = "another one", 777
    table.now += timedelta(**later)

    for _ in range(3 if is_counted else 1):
        landed.reconcile()

    assert landed.live == truth(table)
    assert (named(landed)[90], named(landed)[70]) == (("as it was", 30), ("another one", 777))


@pytest.mark.fault("five changes happen between two requests", "reconcile", "exact after the next run")
@pytest.mark.parametrize("is_counted", [False, True])
def test_a_reconcile_under_five_changes_a_request_comes_to_rest(warehouse, monkeypatch, is_counted):
    if is_counted:
        monkeypatch.setattr(reconciling, "_PAGES_WORTH_LISTING", 0)
    table, landed = landed_table(warehouse, spread(100))
    for row_id in range(0, 100, 20):
        del table.rows[row_id]
    table.changes_between, asked = 5, table.requests
    table.change = lambda: table.rows.update({table.rng.choice([*table.rows]): table.now.replace(microsecond=0)})
    landed.reconcile()
    assert table.requests - asked < 200
    assert landed.gone.isdisjoint(table.rows)

    table.changes_between = 0
    table.now += timedelta(minutes=20)
    for _ in range(3 if is_counted else 1):
        landed.reconcile()

    assert landed.live == truth(table)


def test_an_entry_that_returns_loses_the_mark(warehouse, counting):
    table, landed = landed_table(warehouse, spread(100))
    grave = table.rows.pop(50)
    landed.reconcile()
    assert landed.gone == {50}

    table.rows[50] = grave
    landed.reconcile()

    assert landed.gone == set()
    assert landed.noted() == (0, 0, 1)


def test_an_entry_that_a_backup_brings_back_in_an_older_state_is_taken_as_it_is(warehouse, counting):
    table, landed = landed_table(warehouse, spread(100))
    table.rows[90] = at(10 * 3600 + 5)

    landed.reconcile()

    assert landed.live == truth(table)
    assert landed.gone == set()


def test_a_payment_taken_back_is_seen(warehouse, counting):
    table, landed = landed_table(warehouse, spread(100))
    table.paid[10] = at(86_400 * 3)
    landed.reconcile()
    assert landed.live[30][1] == at(86_400 * 3)

    del table.paid[10]
    landed.reconcile()

    assert landed.live == truth(table)


def test_entries_whose_updated_on_is_null_are_found_by_their_created_on_and_never_missed_again(warehouse, counting):
    table, landed = landed_table(warehouse, spread(100))
    within, nulls = table.holds, {1_000_001, 1_000_002}
    table.holds = lambda filters, row_id: (
        within(filters, row_id) and not (filters.axis is UPDATED_ON and row_id in nulls)
    )
    for days in (50, 100):
        late(table, days)
    table.shows_null = True

    landed.reconcile()
    asked = table.requests
    landed.reconcile()

    assert landed.live.keys() == table.rows.keys()
    assert table.requests - asked <= 4 * 4 + 2
    landed.sync()


@pytest.mark.parametrize("kept", [0, 60])
def test_a_loss_too_large_to_be_true_is_refused_and_nothing_is_marked(warehouse, counting, kept):
    table, landed = landed_table(warehouse, spread(100))
    table.rows = dict(list(table.rows.items())[100 - kept :])

    with pytest.raises((LossRefusedError, NothingThereError, AnotherAccountError), match="doctor"):
        landed.reconcile()

    assert landed.gone == set()


def test_a_large_loss_is_shown_by_month_and_marked_once_it_is_accepted(warehouse, counting):
    table, landed = landed_table(warehouse, spread(100, apart=86_400))
    lost = list(table.rows)[:40]
    for row_id in lost:
        del table.rows[row_id]
    with pytest.raises(LossRefusedError, match=r"40 of 100 entries .* --accept-loss") as caught:
        landed.reconcile()
    assert [tuple(row) for row in caught.value.loss.rows] == [(None, "2026-03", 31), (None, "2026-04", 9)]

    with pytest.raises(LossRefusedError):
        landed.reconcile(accepted_loss=39)
    assert landed.gone == set()

    landed.reconcile(accepted_loss=40)
    assert landed.gone == set(lost)


def test_that_everything_is_gone_is_never_accepted(warehouse):
    table, landed = landed_table(warehouse, spread(100))
    rows, table.rows = table.rows, {}
    with pytest.raises((LossRefusedError, NothingThereError, AnotherAccountError)):
        landed.reconcile(accepted_loss=len(rows))
    assert landed.gone == set()


def test_a_filter_by_invoice_that_is_ignored_marks_nothing(warehouse, counting):
    table, landed = landed_table(warehouse, spread(100))
    del table.rows[50]
    within = table.holds
    table.holds = lambda filters, row_id: bool(filters.keys) or within(filters, row_id)

    with pytest.raises(BrokenPromiseError, match="ignore the filter CoworkerInvoiceHistory_CoworkerInvoice"):
        landed.reconcile()

    assert landed.gone == set()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 2000), max_size=60),
    st.lists(st.integers(0, 2000), max_size=60),
    st.integers(1, 8),
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    st.integers(1, 20),
)
def test_the_pieces_tile_and_each_that_differs_is_found(ours, theirs, parts, shift_and_lean, page_size):
    scope = Window(EPOCH, at(3000 * 60))
    own = OwnRows(pl.Series(sorted(int(at(minute * 60).timestamp()) for minute in ours), dtype=pl.Int64))
    pieces = cut_up(scope, own, parts, *shift_and_lean)
    assert merge(pieces) == [scope]
    assert sum((piece.span for piece in pieces), timedelta()) == scope.span
    assert len(pieces) <= parts

    def count(window, minutes):
        return sum(at(minute * 60) in window for minute in minutes)

    found = list(differing(pieces, own, lambda window: count(window, theirs), page_size))

    for piece in pieces:
        inside = [window for window in found if not window.meet(piece).is_empty]
        if count(piece, ours) != count(piece, theirs):
            assert inside
    assert all(count(window, ours) != count(window, theirs) for window in found)
    edges = {window.end for window in [*pieces, *found]} - {scope.end}
    assert not any(floor_minute(at(minute * 60)) in edges for minute in ours), "a cut in a minute that holds a row"
