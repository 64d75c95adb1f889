"""A pull of a moving table is exact, or says that it is not."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_table import EPOCH, MovingTable, at

from pipelines.extract.seek import UPDATED_ON, Dialect, OutsideRangeError, SeamError, seek
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
        lambda seconds, seed, end, order, largest, shuffles, moving: MovingTable(
            rows={i: at(s) for i, s in enumerate(seconds)},
            now=EPOCH + timedelta(days=31),
            rng=random.Random(seed),
            filter_end=end,
            order=order,
            largest_page=largest,
            shuffles_ties=shuffles,
            changes_between=moving,
        ),
        rows,
        st.integers(0, 2**32),
        st.sampled_from(["second", "minute", "whole minute", "exclusive"]),
        st.sampled_from(["0 ascends", "0 ascends", "1 ascends", "always descends", "by id"]),
        st.sampled_from([3, 40, 10_000]),
        st.booleans(),
        changes,
    )


def check_that_a_moving_table_is_read_exactly(table, page_size):
    landed = {}
    window = Window(EPOCH - timedelta(days=1), frozen_end(table))

    closed, dialect = pull(table, window, page_size, landed)

    for row_id, updated in table.rows.items():
        if any(updated in done for done in closed):
            assert landed.get(row_id) == updated, "a closed minute lacks a row"
    left_open = [Window(minute, minute + MINUTE) for minute in dialect.open_minutes]
    assert merge([*closed, *left_open]) == merge([window])
    assert sum((w.span for w in closed), timedelta()) == sum((w.span for w in merge(closed)), timedelta())

    table.changes_between = 0
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
    table = spread_table(10_000, apart=61)

    pull(table, Window(EPOCH, frozen_end(table)), 100, {})

    assert table.requests <= 1.05 * 100 + 5


def test_a_reversed_server_costs_one_more_question():
    table = spread_table(10_000, apart=61, order="1 ascends")

    pull(table, Window(EPOCH, frozen_end(table)), 100, {})

    assert table.requests <= 1.05 * 100 + 5


def test_years_with_few_rows_cost_one_question():
    table = MovingTable({i: at(i * 86_400) for i in range(360)}, EPOCH + timedelta(days=400), random.Random(1))

    pull(table, Window(EPOCH - timedelta(days=3650), frozen_end(table)), 1000, {})

    assert table.requests == 1


def test_a_server_that_sorts_by_id_alone_is_still_read_exactly():
    table = spread_table(500, order="by id")
    for moved in range(0, 500, 7):
        table.rows[moved] = at(500 * 60 + moved)

    check_that_a_moving_table_is_read_exactly(table, 20)


class ZoneAhead(MovingTable):
    """Reads filter values as if they were hours later: rows are left out, and none lies outside the range."""

    def holds(self, filters, row_id, updated):
        is_filtered_by_time = filters.from_updated_on is not None
        return super().holds(filters, row_id, updated - timedelta(hours=5) if is_filtered_by_time else updated)


def test_a_filter_that_leaves_hours_out_is_found_by_the_seam():
    table = ZoneAhead({i: at(i * 60) for i in range(1000)}, EPOCH + timedelta(days=40), random.Random(1))
    steps = seek(table, UPDATED_ON, Window(EPOCH - timedelta(days=2), frozen_end(table)), Dialect(100))

    assert next(steps).closed.start == EPOCH - timedelta(days=2)
    with pytest.raises(SeamError, match="NEXUDUS_FILTER_TIMEZONE"):
        next(steps)


class IgnoredFilter(MovingTable):
    def holds(self, filters, row_id, updated):
        return True


def test_an_ignored_filter_is_refused_before_anything_is_closed():
    table = IgnoredFilter({i: at(i * 60) for i in range(1000)}, EPOCH + timedelta(days=400), random.Random(1))
    window = Window(EPOCH + timedelta(days=300), EPOCH + timedelta(days=301))

    with pytest.raises(OutsideRangeError, match="ignored"):
        list(seek(table, UPDATED_ON, window, Dialect(100)))
