"""A record that cannot be read is read again until it can be, or is given up by name; a page of them ends nothing."""

import pytest
from account_synced import PAGE

from pipelines.land.set_aside import MOST_TRIES, UnreadablePageError
from pipelines.sandbox.operators import make_operator

BROKEN = 0.05


@pytest.fixture
def sandbox_operator():
    return make_operator(size=400, months=2)


def set_aside(landed, what="count(*)"):
    return landed.connection.execute(f"select {what} from land.rejected_records").fetchone()[0]


@pytest.mark.fault("some records break the contract for a while", "any answer", "exact after the next run")
def test_records_set_aside_are_landed_by_the_next_sync_once_they_read_well(landed):
    landed.sandbox.knobs.wrong_type_rate = BROKEN
    landed.sync()
    count = set_aside(landed)
    assert count == len(landed.lacks()) > 5
    assert [f"{count} records broke" in warning for warning in landed.status().warnings] == [True]

    landed.sandbox.knobs.wrong_type_rate = 0
    landed.passes(hours=1)
    landed.sync()

    assert (landed.lacks(), set_aside(landed), landed.status().warnings) == (set(), 0, [])


@pytest.mark.fault("some records break the contract for ever", "any answer", "warned of")
def test_records_that_never_read_well_are_tried_ever_less_often_and_then_given_up_by_name(landed):
    landed.sandbox.knobs.wrong_type_rate = BROKEN
    landed.sync()
    tries = []
    for days in (1, 1, 1, 1, 4, 7, 7, 7, 7, 7, 7, 7):
        landed.passes(days=days)
        landed.sync()
        tries.append(set_aside(landed, "max(try_count)"))

    assert tries == [1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]
    assert tries[-1] == set_aside(landed, "min(try_count)") == MOST_TRIES
    (alarm,) = landed.status().alarms
    assert str(min(landed.lacks())) in alarm
    assert landed.status().given_up_count == len(landed.lacks())
    landed.passes(days=1)
    assert landed.sync() <= 3  # as if nothing were set aside

    landed.sandbox.knobs.wrong_type_rate = 0
    for entry_id in landed.lacks():
        landed.sandbox.store.update(entry_id, name="Saved once more")
    landed.passes(days=1)
    landed.sync()
    assert (landed.lacks(), landed.status().alarms) == (set(), [])


def test_a_record_set_aside_and_then_deleted_is_forgotten(landed):
    landed.sandbox.knobs.wrong_type_rate = BROKEN
    landed.sync()
    for entry_id in landed.lacks():
        landed.sandbox.store.delete(entry_id)
    landed.passes(days=1)
    landed.sync()

    assert set_aside(landed) == 0


@pytest.mark.fault("not one record of a page can be read", "first sync", "exact after the next run")
def test_pages_without_one_readable_record_end_with_a_sentence_and_are_read_by_a_later_sync(landed):
    landed.sandbox.knobs.wrong_type_rate = 1
    with pytest.raises(UnreadablePageError, match="look for a newer version"):
        landed.sync()
    assert set_aside(landed) == len(landed.lacks()) == len(landed.sandbox.store)

    landed.passes(minutes=6)
    landed.sandbox.knobs.wrong_type_rate = 0
    assert landed.sync() <= len(landed.sandbox.store) / PAGE * 2 + 10

    assert (landed.lacks(), set_aside(landed)) == (set(), 0)


@pytest.mark.fault("not one record of a page can be read, for ever", "a minute fuller than a page", "warned of")
def test_a_minute_full_of_unreadable_records_holds_up_nothing_but_done(landed):
    store, knobs = landed.sandbox.store, landed.sandbox.knobs
    landed.sync()
    landed.passes(days=1)
    store.collect(store.until, 3 * PAGE)
    landed.passes(hours=1)
    knobs.wrong_type_rate = 1
    with pytest.raises(UnreadablePageError):
        landed.sync()
    knobs.wrong_type_rate = 0
    store.insert(next(iter(store.invoices)), "Payment Result", "")
    landed.passes(hours=2)
    landed.sync()

    assert (landed.lacks(), set_aside(landed)) == (set(), 0)
