"""Window arithmetic: no minute is lost, none is counted twice. Compared with plain sets of minutes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.windows import MINUTE, Window, floor_minute, gaps, merge, split

EPOCH = datetime(2025, 3, 1, tzinfo=UTC)

windows = st.builds(
    lambda start, length: Window(EPOCH + start * MINUTE, EPOCH + (start + length) * MINUTE),
    st.integers(0, 60),
    st.integers(-3, 25),
)
window_lists = st.lists(windows, max_size=8)


def minutes(several):
    """The minutes that are in any of the windows."""
    return {w.start + i * MINUTE for w in several for i in range(max(0, (w.end - w.start) // MINUTE))}


def is_tidy(several):
    """In order, none empty, none touching the next."""
    edges = [edge for window in several for edge in window]
    return edges == sorted(set(edges))


@given(window_lists, window_lists)
def test_gaps_and_closed_windows_tile_what_is_wanted_without_hole_or_overlap(wanted, closed):
    missing = gaps(wanted, closed)

    assert is_tidy(missing)
    assert minutes(missing) == minutes(wanted) - minutes(closed)


@given(window_lists, window_lists)
def test_once_the_gaps_are_closed_nothing_is_missing(wanted, closed):
    assert gaps(wanted, [*closed, *gaps(wanted, closed)]) == []


@given(window_lists)
def test_merged_windows_hold_the_same_minutes_and_merging_again_changes_nothing(several):
    merged = merge(several)

    assert is_tidy(merged)
    assert minutes(merged) == minutes(several)
    assert merge(merged) == merged


@given(window_lists, st.randoms())
def test_the_order_of_windows_does_not_matter(several, random):
    assert merge(random.sample(several, len(several))) == merge(several)


@given(st.integers(1, 500), st.integers(-1, 40))
def test_the_parts_of_a_split_tile_it_and_are_nearly_equal(length, parts):
    window = Window(EPOCH, EPOCH + length * MINUTE)

    pieces = split(window, parts)

    assert len(pieces) == max(1, min(parts, length))
    assert [piece.start for piece in pieces] == [window.start, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == window.end
    spans = {piece.span for piece in pieces}
    assert max(spans) - min(spans) <= MINUTE
    assert min(spans) >= MINUTE


@given(windows, windows)
def test_two_windows_meet_in_the_minutes_of_both(one, other):
    assert minutes([one.meet(other)]) == minutes([one]) & minutes([other])


def test_a_window_holds_its_start_and_not_its_end():
    window = Window(EPOCH, EPOCH + MINUTE)

    assert EPOCH in window
    assert EPOCH + timedelta(seconds=59, microseconds=999_999) in window
    assert EPOCH + MINUTE not in window
    assert EPOCH - timedelta(microseconds=1) not in window


def test_a_window_that_ends_before_it_begins_is_empty_and_has_no_length():
    window = Window(EPOCH + MINUTE, EPOCH)

    assert window.is_empty
    assert window.span == timedelta()
    assert merge([window]) == gaps([window], []) == []


def test_an_instant_belongs_to_the_minute_it_lies_in():
    assert floor_minute(EPOCH + timedelta(seconds=59, microseconds=7)) == EPOCH
