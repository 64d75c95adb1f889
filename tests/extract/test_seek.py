"""A pull of a moving table is exact, or says that it is not."""

import random
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_table import EPOCH, MovingTable, at

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.checked_answers import OutsideRangeError
from pipelines.extract.failures import DeepPageError
from pipelines.extract.order import Dialect
from pipelines.extract.records import EnvelopeError
from pipelines.extract.seam import KnownRow, NothingThereError, SeamError, ShiftedFilterError
from pipelines.extract.seek import first_instant, seek, seek_with_seam
from pipelines.extract.windows import MINUTE, Window, floor_minute, gaps, merge

SETTLE = timedelta(minutes=5)


def pull(table, window, page_size, landed, seam=()):
    """What landing does with the steps, and the windows closed."""
    dialect = Dialect(page_size)
    closed = []
    for step in seek(table, UPDATED_ON, window, dialect, seam):
        for record in step.answer.records:
            if record.id not in landed or landed[record.id] <= record.updated_on:
                landed[record.id] = record.updated_on
        for rejected in step.answer.rejected:
            row_id, _, updated = rejected.raw.decode().partition(" ")
            landed[int(row_id)] = max(landed.get(int(row_id), EPOCH), datetime.fromisoformat(updated))
        if step.closed:
            closed.append(step.closed)
    return closed, dialect


def frozen_end(table):
    return floor_minute(table.now - SETTLE)


rows = st.one_of(
    st.lists(st.integers(0, 86_400 * 30), max_size=120),  # sparse
    st.lists(st.integers(0, 600), max_size=120),  # ten busy minutes
    st.lists(st.sampled_from([5, 6, 59, 60, 61, 119, 120, 3600]), max_size=120),  # dense minutes, ties
)


def tables(changes):
    return st.builds(
        lambda seconds, seed, end, order, largest, shuffles, halves, nulls, claims_all, unreadable, moving: MovingTable(
            rows={i: at(s) for i, s in enumerate(seconds)},
            now=EPOCH + timedelta(days=31),
            rng=random.Random(seed),
            filter_end=end,
            order=order,
            largest_page=largest,
            shuffles_ties=shuffles,
            halves_sizes=halves,
            shows_null=nulls,
            claims_all_rate=claims_all,
            unreadable_every=unreadable,
            changes_between=moving,
        ),
        rows,
        st.integers(0, 2**32),
        st.sampled_from(["second", "minute", "whole minute", "exclusive"]),
        st.sampled_from(["0 ascends", "0 ascends", "1 ascends", "always descends", "by id", "by created", "none"]),
        st.sampled_from([3, 40, 10_000]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.sampled_from([0, 0, 0.2, 1]),
        st.sampled_from([0, 0, 0, 1, 2, 5]),
        changes,
    )


def check_that_a_moving_table_is_read_exactly(table, page_size):
    landed = {}
    window = Window(EPOCH - timedelta(days=1), frozen_end(table))

    try:
        closed, dialect = pull(table, window, page_size, landed)
    except NothingThereError:
        assert not table.rows
        return

    for row_id, updated in table.rows.items():
        if any(updated in done for done in closed):
            assert landed.get(row_id) == updated, "a closed minute lacks a row"
    left_open = [Window(minute, minute + MINUTE) for minute in dialect.open_minutes]
    assert merge([*closed, *left_open]) == merge([window])
    assert sum((w.span for w in closed), timedelta()) == sum((w.span for w in merge(closed)), timedelta())

    # Where sizes are halved at times, no pass of a dense minute need be consistent: it stays open, as said above.
    table.changes_between = table.claims_all_rate = table.halves_sizes = 0
    table.now += timedelta(minutes=10)
    history = Window(window.start, frozen_end(table))
    again, dialect = [], None
    for gap in gaps([history], closed):
        more, dialect = pull(table, gap, page_size, landed)
        again += more
    assert {i: landed.get(i) for i in table.rows} == table.rows
    assert merge([*closed, *again]) == [history]


@settings(max_examples=200, deadline=None)
@given(tables(st.integers(0, 3)), st.integers(1, 50))
def test_after_a_sync_and_a_quiet_one_the_landed_rows_are_the_source(table, page_size):
    check_that_a_moving_table_is_read_exactly(table, page_size)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(tables(st.integers(0, 6)), st.integers(1, 50))
def test_after_a_sync_and_a_quiet_one_the_landed_rows_are_the_source_at_length(table, page_size):
    check_that_a_moving_table_is_read_exactly(table, page_size)


def spread_table(count=1000, apart=60, **kwargs):
    return MovingTable({i: at(i * apart) for i in range(count)}, EPOCH + timedelta(days=40), random.Random(1), **kwargs)


def test_a_first_pull_asks_little_more_than_a_question_a_page():
    table = spread_table(4_000, apart=61)

    pull(table, Window(EPOCH, frozen_end(table)), 100, {})

    assert table.requests <= 1.05 * 40 + 5


def test_a_reversed_server_costs_one_more_question():
    table = spread_table(4_000, apart=61, order="1 ascends")

    pull(table, Window(EPOCH, frozen_end(table)), 100, {})

    assert table.requests <= 1.05 * 40 + 5


def test_years_with_few_rows_cost_one_question():
    table = MovingTable({i: at(i * 86_400) for i in range(360)}, EPOCH + timedelta(days=400), random.Random(1))

    pull(table, Window(EPOCH - timedelta(days=3650), frozen_end(table)), 1000, {})

    assert table.requests == 1


class ZoneAhead(MovingTable):
    """Reads filter values as if they were hours later: rows are left out, and none lies outside the range."""

    def is_within(self, value, start, end):
        return super().is_within(value and value - timedelta(hours=5), start, end)


def test_a_filter_that_leaves_hours_out_is_found_by_the_seam():
    table = ZoneAhead({i: at(i * 60) for i in range(1000)}, EPOCH + timedelta(days=40), random.Random(1))
    steps = seek(table, UPDATED_ON, Window(EPOCH - timedelta(days=2), frozen_end(table)), Dialect(100))

    assert next(steps).closed.start == EPOCH - timedelta(days=2)
    with pytest.raises(SeamError, match="NEXUDUS_FILTER_TIMEZONE"):
        next(steps)


class IgnoredFilter(MovingTable):
    def holds(self, filters, row_id):
        return True


def test_an_ignored_filter_is_refused_before_anything_is_closed():
    table = IgnoredFilter({i: at(i * 60) for i in range(1000)}, EPOCH + timedelta(days=400), random.Random(1))
    window = Window(EPOCH + timedelta(days=300), EPOCH + timedelta(days=301))

    with pytest.raises(OutsideRangeError, match="ignored"):
        list(seek(table, UPDATED_ON, window, Dialect(100)))


@pytest.mark.parametrize("order", ["by id", "by created", "none", "always descends"])
def test_a_server_that_sorts_by_anything_else_is_still_read_exactly(order):
    table = spread_table(500, order=order)
    for moved in range(0, 500, 7):
        table.rows[moved] = at(500 * 60 + moved)

    check_that_a_moving_table_is_read_exactly(table, 20)


def test_an_order_that_only_looks_like_time_closes_nothing_too_early():
    # Sorted by CreatedOn; of each page only the last row was updated since, so that UpdatedOn ascends all the way.
    table = spread_table(200, order="by created", shuffles_ties=False)
    table.rows[19] = at(150 * 60)

    check_that_a_moving_table_is_read_exactly(table, 20)


def test_one_smaller_page_does_not_make_all_later_ones_small():
    table = spread_table(5_000, apart=61)
    sizes = iter([100, 50])
    search = table.search
    table.search = lambda *args, **asked: search(*args, **asked | {"size": min(asked["size"], next(sizes, 100))})

    pull(table, Window(EPOCH, frozen_end(table)), 100, {})

    assert table.requests <= 1.05 * 50 + 5


def test_a_server_that_clamps_the_size_costs_what_its_pages_cost():
    table = spread_table(5_000, apart=61, largest_page=50)

    _, dialect = pull(table, Window(EPOCH, frozen_end(table)), 100, {})

    assert dialect.honoured_size == 50
    assert table.requests <= 1.05 * 100 + 5


def test_rows_without_updated_on_are_no_proof_of_an_ignored_filter():
    table = spread_table(300, shows_null=True)
    for moved in range(0, 300, 3):
        table.rows[moved] = at(400 * 60 + moved)

    check_that_a_moving_table_is_read_exactly(table, 20)


def test_an_answer_without_rows_that_promises_more_is_refused():
    table = spread_table(0)
    search = table.search
    table.search = lambda *args, **asked: msgspec.structs.replace(search(*args, **asked), has_next_page=True)

    with pytest.raises(EnvelopeError):
        list(seek(table, UPDATED_ON, Window(EPOCH, at(3600)), Dialect(100)))


def seam_of(table, *ids):
    return tuple(KnownRow(i, i // 3, table.rows[i]) for i in ids)


def test_a_table_that_is_suddenly_empty_is_a_lost_role_and_not_a_quiet_night():
    table = spread_table(10)
    seam = seam_of(table, 3)
    table.rows.clear()

    with pytest.raises(NothingThereError, match="lost role"):
        list(seek(table, UPDATED_ON, Window(EPOCH, frozen_end(table)), Dialect(100), seam))


def test_known_rows_in_the_second_half_of_a_range_are_not_looked_for_in_the_first():
    table = spread_table(30)

    steps = list(
        seek(table, UPDATED_ON, Window(EPOCH - timedelta(days=1), at(1800)), Dialect(10), seam_of(table, 8, 9))
    )

    assert merge(step.closed for step in steps if step.closed) == [Window(EPOCH - timedelta(days=1), at(1800))]


def test_known_rows_that_are_gone_or_have_moved_on_are_no_broken_seam():
    table = spread_table(10)
    seam = seam_of(table, 3, 4)
    del table.rows[3]
    table.rows[4] = table.now

    (step,) = seek(table, UPDATED_ON, Window(at(180), frozen_end(table)), Dialect(100), seam)

    assert step.closed


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_shifted_filter_is_found_in_either_direction(hours):
    table = spread_table(1000)
    within = table.is_within
    table.is_within = lambda value, start, end: within(value and value + timedelta(hours=hours), start, end)

    with pytest.raises(ShiftedFilterError, match="NEXUDUS_FILTER_TIMEZONE"):
        list(seek(table, UPDATED_ON, Window(at(3600 * 6), frozen_end(table)), Dialect(100)))


@pytest.mark.parametrize("order", ["0 ascends", "1 ascends"])
def test_the_first_instant_is_found_whichever_direction_ascends(order):
    table = spread_table(1000, order=order)

    _, first = first_instant(table, UPDATED_ON, Window(EPOCH - timedelta(days=999), at(10**6)), Dialect(100))

    assert first == EPOCH
    assert table.requests <= 2


@pytest.mark.parametrize("trouble", [{"shows_null": True}, {"order": "none"}, {"order": "always descends"}])
def test_no_first_instant_is_better_than_a_wrong_one(trouble):
    table = spread_table(1000, **trouble)

    _, first = first_instant(table, UPDATED_ON, Window(EPOCH - timedelta(days=999), at(10**6)), Dialect(100))

    assert first is None


def test_a_batch_on_the_stroke_of_a_minute_does_not_make_the_minute_before_it_dense():
    rows = {i: at(i * 30) for i in range(100)} | {i: at(6000) for i in range(100, 160)}
    table = DeepPagesRefused(rows, EPOCH + timedelta(days=40), random.Random(1), filter_end="second")
    window = Window(EPOCH, frozen_end(table))

    closed, _ = pull(table, window, 20, {})

    assert gaps([window], closed) == [Window(at(6000), at(6060))]


@pytest.mark.parametrize("largest", [10, 4])
def test_a_dense_minute_is_read_where_the_size_told_is_that_of_the_page_at_hand(largest):
    table = MovingTable({i: at(i % 60) for i in range(55)}, EPOCH + timedelta(days=1), random.Random(1))
    table.largest_page = largest
    search = table.search

    def tells_what_came(*args, **asked):
        answer = search(*args, **asked)
        return msgspec.structs.replace(answer, page_size=len(answer.records))

    table.search = tells_what_came
    landed = {}

    closed, dialect = pull(table, Window(EPOCH, at(600)), 10, landed)

    assert (merge(closed), dialect.open_minutes) == ([Window(EPOCH, at(600))], [])
    assert landed == table.rows


class DeepPagesRefused(MovingTable):
    def search(self, *args, page=1, **asked):
        if page > 2:
            raise DeepPageError("403")
        return super().search(*args, page=page, **asked)


def test_a_minute_deeper_than_the_server_pages_stays_open_and_the_rest_is_closed():
    rows = {i: at(605 + i % 7 if i < 50 else i * 60) for i in range(100)}
    table = DeepPagesRefused(rows, EPOCH + timedelta(days=40), random.Random(1))
    window = Window(EPOCH, frozen_end(table))

    closed, dialect = pull(table, window, 10, {})

    assert dialect.open_minutes == [at(600)]
    assert gaps([window], closed) == [Window(at(600), at(660))]


@pytest.mark.fault("a full page claims to be all there is", "every answer", "exact")
@pytest.mark.parametrize("dense", [False, True])
def test_a_full_page_that_claims_to_be_all_is_not_the_last(dense):
    table = spread_table(400, claims_all_rate=1)
    if dense:
        table.rows |= dict.fromkeys(range(100, 200), at(6000))
    landed = {}

    closed, dialect = pull(table, Window(EPOCH, frozen_end(table)), 50, landed)

    for row_id, updated in table.rows.items():
        assert landed.get(row_id) == updated or floor_minute(updated) in dialect.open_minutes
    assert gaps([Window(EPOCH, frozen_end(table))], closed) == [Window(m, m + MINUTE) for m in dialect.open_minutes]


def test_an_answer_that_counts_fewer_than_it_holds_is_refused():
    table = spread_table(5)
    search = table.search
    table.search = lambda *args, **asked: msgspec.structs.replace(search(*args, **asked), total_items=-1)

    with pytest.raises(EnvelopeError, match="counts -1"):
        list(seek(table, UPDATED_ON, Window(EPOCH, at(3600)), Dialect(100)))


def test_one_empty_answer_for_a_range_with_known_rows_is_asked_for_again():
    table = spread_table(1000)
    search, calls = table.search, []

    def empties_one(filters, **asked):
        calls.append(filters)
        if len(calls) != 4:
            return search(filters, **asked)
        return msgspec.structs.replace(search(filters, **asked), records=[], total_items=0, has_next_page=False)

    table.search = empties_one
    landed = {}

    closed, _ = pull(table, Window(EPOCH, frozen_end(table)), 100, landed)

    assert landed == table.rows
    assert merge(closed) == [Window(EPOCH, frozen_end(table))]


def test_an_empty_answer_for_a_part_is_not_believed():
    table = spread_table(1000)
    end = frozen_end(table)
    part = Window(at(6000), at(12_000))
    search, calls = table.search, []

    def empties_one(filters, **asked):
        calls.append(filters)
        if len(calls) != 2:
            return search(filters, **asked)
        return msgspec.structs.replace(search(filters, **asked), records=[], total_items=0, has_next_page=False)

    table.search = empties_one

    steps = list(seek_with_seam(table, UPDATED_ON, part, end, Dialect(200)))

    assert {record.id for step in steps for record in step.answer.records} >= set(range(100, 200))


@pytest.mark.fault("UpdatedOn is null for all rows", "every answer", "exact")
@pytest.mark.parametrize("seconds", [range(0, 86_400 * 20, 40_000), [5] * 30, [5] * 12 + [70] * 12])
def test_full_pages_of_rows_without_updated_on_are_read(seconds):
    table = MovingTable(
        rows={i: at(s) for i, s in enumerate(seconds)},
        now=EPOCH + timedelta(days=31),
        rng=random.Random(1),
        shows_null=True,
    )
    landed = {}

    closed, dialect = pull(table, Window(EPOCH, frozen_end(table)), 10, landed)

    assert landed.keys() == table.rows.keys()
    assert merge(closed) == [Window(EPOCH, frozen_end(table))]
    assert dialect.open_minutes == []
