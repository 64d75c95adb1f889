"""The ledger: what is closed stays closed, what is not is pulled, and it stays small."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_records import wire

from pipelines.extract.axes import CREATED_ON, UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, merge
from pipelines.land import ledger
from pipelines.land.merge import Page, land_pages

EPOCH = datetime(2025, 3, 1, tzinfo=UTC)


def window(start, end):
    return Window(EPOCH + start * MINUTE, EPOCH + end * MINUTE)


def close(connection, start, end, *, run="run 1", axis=UPDATED_ON):
    ledger.close(
        connection,
        HISTORIES,
        axis,
        window(start, end),
        run_id=run,
        row_count=10,
        request_count=1,
        closed_at=EPOCH + end * MINUTE,
    )


def ledger_rows(connection):
    return [
        (axis, (start - EPOCH) // MINUTE, (end - EPOCH) // MINUTE, row_count, request_count, run)
        for axis, start, end, row_count, request_count, run, _ in connection.execute(
            "select * exclude (entity) from land.windows order by all"
        ).fetchall()
    ]


def test_windows_of_one_run_that_touch_become_one_row(warehouse):
    for start in range(3):
        close(warehouse, start, start + 1)

    assert ledger_rows(warehouse) == [("UpdatedOn", 0, 3, 30, 3, "run 1")]


def test_windows_of_other_runs_or_axes_or_with_a_hole_between_stay_apart(warehouse):
    close(warehouse, 0, 1)
    close(warehouse, 1, 2, run="run 2")
    close(warehouse, 1, 2, axis=CREATED_ON)
    close(warehouse, 4, 5)

    assert len(ledger_rows(warehouse)) == 4


def test_an_empty_window_is_not_written(warehouse):
    close(warehouse, 5, 5)

    assert ledger_rows(warehouse) == []


def test_closed_windows_are_those_of_the_axis_whatever_run_closed_them(warehouse):
    close(warehouse, 0, 5)
    close(warehouse, 3, 8, run="run 2")
    close(warehouse, 20, 30, run="run 2")
    close(warehouse, 8, 20, axis=CREATED_ON)

    assert ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON) == [window(0, 8), window(20, 30)]


spans = st.tuples(st.integers(0, 200), st.integers(1, 60)).map(lambda pair: window(pair[0], sum(pair)))


def minutes(windows):
    return {w.start + i * MINUTE for w in windows for i in range(w.span // MINUTE)}


@given(st.lists(spans, max_size=6), st.integers(200, 300), st.integers(0, 90), st.none() | st.integers(0, 260))
def test_what_is_pulled_is_what_is_missing_and_the_newest_closed_minutes_again(closed, until, lookback, newest):
    history = window(0, until)
    newest_row_at = None if newest is None else EPOCH + timedelta(minutes=newest, seconds=17)

    wanted = ledger.windows_to_pull(history, closed, lookback * MINUTE, newest_row_at)

    pulled, known = minutes(wanted), minutes(closed) & minutes([history])
    assert minutes([history]) - known <= pulled <= minutes([history])
    assert merge(wanted) == wanted
    if closed:
        end = max(span.end for span in closed)
        again_from = min(end - lookback * MINUTE, newest_row_at or end)
        assert {minute for minute in known if minute >= again_from} <= pulled
        assert all(minute > again_from - MINUTE for minute in known & pulled)


def land(connection, *stamps):
    records = [HISTORIES.contract.read(wire(Id=i, UpdatedOn=f"{stamp:%FT%TZ}")) for i, stamp in enumerate(stamps)]
    land_pages(connection, HISTORIES, [Page(records, [], EPOCH)])


def test_the_newest_row_tells_where_to_look_again(warehouse):
    land(warehouse, EPOCH, EPOCH + timedelta(minutes=9, seconds=5))

    newest = ledger.newest_row_at(warehouse, HISTORIES, UPDATED_ON, page_size=100)
    assert newest == EPOCH + timedelta(minutes=9, seconds=5)


def test_a_newest_minute_that_would_fill_half_a_page_is_no_place_to_look_from(warehouse):
    land(warehouse, *[EPOCH + timedelta(seconds=second) for second in range(30)])

    assert ledger.newest_row_at(warehouse, HISTORIES, UPDATED_ON, page_size=59) is None
    assert ledger.newest_row_at(warehouse, HISTORIES, UPDATED_ON, page_size=60) == EPOCH + timedelta(seconds=29)


def test_an_empty_warehouse_has_no_newest_row(warehouse):
    assert ledger.newest_row_at(warehouse, HISTORIES, UPDATED_ON, page_size=100) is None


@pytest.mark.parametrize("deleted", [False, True])
def test_the_seam_is_made_of_rows_that_must_come_back(warehouse, deleted):
    land(warehouse, EPOCH + MINUTE, EPOCH + 2 * MINUTE, EPOCH + 3 * MINUTE)
    warehouse.execute("update land.coworker_invoice_histories set deleted_at = $now where id = 1 and $yes",
                      {"now": EPOCH, "yes": deleted})  # fmt: skip

    seam = ledger.seam_of(warehouse, HISTORIES, UPDATED_ON, window(2, 3))

    expected = [] if deleted else [(1, EPOCH + 2 * MINUTE)]
    assert [(row.id, row.instant) for row in seam] == expected
