"""How many questions a range costs, wherever its rows lie."""

import random
from datetime import timedelta
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_table import EPOCH, MovingTable, at

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.order import Dialect
from pipelines.extract.seam import KnownRow
from pipelines.extract.seek import seek
from pipelines.extract.windows import MINUTE, Window, gaps, merge

DAYS = 7
WINDOW = Window(EPOCH, EPOCH + timedelta(days=DAYS))


def read(table, window, page_size, **kwargs):
    """What was landed and closed."""
    landed, closed = {}, []
    for step in seek(table, UPDATED_ON, window, Dialect(page_size), **kwargs):
        landed |= {record.id: record.updated_on for record in step.answer.records}
        closed += [step.closed] if step.closed else []
    return landed, merge(closed)


def dense_minutes(table, window, page_size):
    """Minutes of which so much is seen twice that it shows: more than a twentieth of a page."""
    counts = {}
    for instant in table.rows.values():
        if window.start <= instant < window.end + MINUTE:
            counts[instant.replace(second=0)] = counts.get(instant.replace(second=0), 0) + 1
    return sum(count * 20 > page_size for count in counts.values())


def most_requests(table, window, page_size):
    row_count = sum(instant in window for instant in table.rows.values())
    pages, dense = -(-row_count // page_size), dense_minutes(table, window, page_size)
    return 1.05 * pages + 4 * dense + 2 * log2(window.span / MINUTE) + 6


@st.composite
def placed_tables(draw):
    """Sparse rows, and batches anywhere: of one instant, within a minute, in minutes that follow each other."""
    page_size = draw(st.sampled_from([20, 40, 80]))
    minutes = st.one_of(st.integers(0, 1440 * DAYS - 1), st.integers(0, 30), st.integers(1440 * DAYS - 30, 1440 * DAYS))
    batches = draw(
        st.lists(
            st.tuples(minutes, st.integers(1, 3), st.integers(1, 3 * page_size), st.sampled_from([1, 2, 60])),
            max_size=8,
        )
    )
    seconds = [
        (minute + i) * 60 + position % spread
        for minute, run, count, spread in batches
        for i in range(run)
        for position in range(count)
    ]
    sparse = draw(st.integers(0, 20 * page_size))
    seconds += [position * (86_400 * DAYS // max(1, sparse)) for position in range(sparse)]
    seed = draw(st.integers(0, 2**32))
    ids = list(range(len(seconds)))
    if draw(st.booleans()):
        random.Random(seed).shuffle(ids)
    else:
        seconds.sort()
    table = MovingTable(
        rows={row_id: at(second) for row_id, second in zip(ids, seconds, strict=True)},
        now=WINDOW.end + timedelta(days=1),
        rng=random.Random(seed),
        filter_end=draw(st.sampled_from(["second", "minute", "whole minute", "exclusive"])),
        order=draw(st.sampled_from(["0 ascends", "1 ascends"])),
    )
    if draw(st.booleans()):  # an import with one CreatedOn for all
        table.created = dict.fromkeys(table.rows, EPOCH - timedelta(days=1))
    return table, page_size


def rows_in(table, window):
    return {i: instant for i, instant in table.rows.items() if instant in window}


def check_that_requests_are_bounded(table, page_size):
    landed, closed = read(table, WINDOW, page_size)

    assert closed == [WINDOW]
    assert landed.items() >= rows_in(table, WINDOW).items()
    assert table.requests <= most_requests(table, WINDOW, page_size)


@settings(max_examples=60, deadline=None)
@given(placed_tables())
def test_requests_are_bounded_wherever_dense_minutes_lie(placed):
    check_that_requests_are_bounded(*placed)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(placed_tables())
def test_requests_are_bounded_wherever_dense_minutes_lie_at_length(placed):
    check_that_requests_are_bounded(*placed)


def check_that_a_later_sync_is_bounded(table, page_size, closed_minutes):
    closed = Window(WINDOW.start, WINDOW.start + closed_minutes * MINUTE)
    window = Window(max(WINDOW.start, closed.end - 60 * MINUTE), WINDOW.end)
    seam = tuple(KnownRow(i, i // 3, at) for i, at in sorted(rows_in(table, closed.meet(window)).items())[:5])

    landed, done = read(
        table, window, page_size, seam=seam,
        known_ids=lambda asked: sorted(rows_in(table, asked)) if asked.meet(closed) == asked else None,
    )  # fmt: skip

    assert done == [window]
    assert landed.items() >= rows_in(table, Window(closed.end, WINDOW.end)).items()
    assert table.requests <= most_requests(table, window, page_size)


@settings(max_examples=60, deadline=None)
@given(placed_tables(), st.integers(0, 1440 * DAYS))
def test_a_later_sync_is_bounded_wherever_dense_minutes_lie(placed, closed_minutes):
    check_that_a_later_sync_is_bounded(*placed, closed_minutes)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(placed_tables(), st.integers(0, 1440 * DAYS))
def test_a_later_sync_is_bounded_wherever_dense_minutes_lie_at_length(placed, closed_minutes):
    check_that_a_later_sync_is_bounded(*placed, closed_minutes)


@pytest.mark.parametrize("spread_seconds", [1, 60])
@pytest.mark.parametrize("share", [2, 1])
def test_a_bulk_update_of_all_or_half_in_one_second_or_minute_costs_its_pages(spread_seconds, share):
    rows = {i: at(40_000 + i % spread_seconds) if i % share == 0 else at(i * 100) for i in range(4000)}
    table = MovingTable(rows, WINDOW.end + timedelta(days=1), random.Random(1))
    table.created = {i: at(i) - timedelta(days=300) for i in rows}

    landed, _ = read(table, WINDOW, 100)

    assert landed == table.rows
    assert table.requests <= most_requests(table, WINDOW, 100)


class LosesOneAtATime(MovingTable):
    """At each question one entry of a full minute is updated."""

    def search(self, *args, **asked):
        lowest = min((i for i, instant in self.rows.items() if instant == at(40_000)), default=None)
        if lowest is not None:
            self.rows[lowest] = self.now.replace(microsecond=0)
        return super().search(*args, **asked)


def test_a_minute_that_never_reads_consistently_costs_little_and_only_that_minute_is_read_again():
    rows = {i: at(40_000) if i < 3000 else at((i - 3000) * 100) for i in range(5000)}
    table = LosesOneAtATime(rows, WINDOW.end + timedelta(days=1), random.Random(1))

    _, closed = read(table, WINDOW, 100)

    minute = Window(at(40_000).replace(second=0), at(40_000).replace(second=0) + MINUTE)
    assert gaps([WINDOW], closed) == [minute]
    assert table.requests <= 2 * 30 + 20 * 1.05 + 20
    table.requests = 0
    read(table, minute, 100)
    assert table.requests <= 2 * 30 + 10
