"""What no incremental reading would meet again is found by one count of everything, at the next sync."""

import pytest
from account_synced import PAGE

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.land import ledger
from pipelines.land.reconcile import reconcile
from pipelines.sandbox.operators import make_operator


@pytest.fixture
def sandbox_operator():
    return make_operator(size=2400, months=6)


def show_another_business(landed, count=30):
    """Entries of long ago that the login could not see before."""
    sandbox = landed.sandbox
    last = sandbox.clock.now()
    for invoice_id, position in zip(sandbox.store.invoices, range(count), strict=False):
        at = last - 86_400 * (20 + position)
        sandbox.store.insert(invoice_id, "Payment Result", "", created_on=at, updated_on=at)


@pytest.mark.fault("every answer empty: access is granted a day later", "first sync", "exact after the next run")
def test_a_login_that_is_granted_access_a_day_later_gets_everything(landed):
    landed.sandbox.faults.inject("empty", times=2)
    landed.sync()
    assert landed.connection.execute("select count(*) from land.windows").fetchone() == (0,)

    landed.passes(days=1)
    landed.sync()

    assert landed.lacks() == set()


@pytest.mark.fault("entries of a business become visible later", "between two syncs", "exact after the next run")
def test_a_business_whose_entries_become_visible_later_is_found_at_the_next_sync(landed):
    landed.sync()
    show_another_business(landed)
    assert len(landed.lacks()) == 30

    landed.passes(days=1)
    landed.sync()

    assert landed.lacks() == set()


def test_it_is_found_although_entries_were_deleted_that_no_comparison_has_found_yet(landed):
    landed.sync()
    for entry in landed.sandbox.store.by_id.items[:200:4]:
        landed.sandbox.store.delete(entry.id)
    landed.passes(days=1)
    landed.sync()
    show_another_business(landed)
    landed.passes(days=1)
    landed.sync()

    assert landed.lacks() == set()


@pytest.mark.fault("one answer is empty", "any moment of a first sync", "exact")
@pytest.mark.parametrize(
    "after",
    [pytest.param(number, marks=[] if number in {1, 25, 49} else pytest.mark.slow) for number in range(1, 60, 6)],
)
def test_an_empty_answer_at_any_moment_of_a_first_sync_loses_nothing(landed, after):
    landed.sandbox.faults.inject("empty", after=after)

    landed.sync()
    landed.passes(days=1)
    landed.sync()

    assert landed.lacks() == set()


def test_a_quiet_sync_asks_once_more(landed):
    landed.sync()
    landed.passes(hours=1)

    assert landed.sync() <= 3  # the newest minutes, whose account it is, and one count


def test_entries_made_while_a_sync_runs_are_no_miss(landed):
    landed.sync()
    for _ in range(3):
        landed.passes(hours=1)
        landed.sandbox.store.insert(next(iter(landed.sandbox.store.invoices)), "Invoice sent", "")

        assert landed.sync() <= 3


def test_deletions_found_and_entries_that_return_ask_for_no_search(landed):
    landed.sync()
    for entry in landed.sandbox.store.by_id.items[:10]:
        landed.sandbox.store.delete(entry.id)
    landed.passes(hours=1)
    reconcile(landed.pull(), ledger.closed_windows(landed.connection, HISTORIES, UPDATED_ON)[0], landed.sync)

    assert landed.sync() <= 3  # the newest minutes, whose account it is, and one count


def test_what_stays_unexplained_is_looked_for_once(landed):
    landed.sync()
    source = landed.source

    class CountsMore:
        entity = source.entity

        def search(self, filters=None, **asked):
            answer = source.search(filters, **asked) if filters else source.search(**asked)
            return answer if filters and filters.axis else answer.__replace__(total_items=answer.total_items + 7)

    landed.source = CountsMore()
    assert landed.sync() > 10
    assert landed.sync() <= 3  # the newest minutes, whose account it is, and one count


def test_an_old_entry_that_was_touched_a_minute_ago_is_no_miss(landed):
    landed.sandbox.store.update(landed.sandbox.store.by_id.items[5].id, name="Amended")

    assert landed.sync() <= 1.05 * len(landed.sandbox.store) / PAGE + 5
