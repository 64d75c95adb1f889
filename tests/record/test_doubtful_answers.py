"""Answers that hide that an entry was made, and servers that change it: found, or left unsure; never made twice."""

import html
from datetime import UTC, datetime, timedelta

import pytest
from on_the_server import made, writes_of

from pipelines.extract.client import NexudusClient
from pipelines.extract.exchanges import Answer
from pipelines.record.delivery import record_entries
from pipelines.record.entries import Entry
from pipelines.record.states import State

LONG = "The customer was called about the failed payment and promised to pay by the end of the month."


def later():
    return datetime.now(UTC) + timedelta(minutes=6)


@pytest.fixture
def entry(sandbox):
    return Entry(invoice_id=next(iter(sandbox.store.invoices)), name="Called & asked", description=LONG, notify=True)


@pytest.fixture
def answered_with(monkeypatch):
    """The first create is carried out, and its answer replaced by another status."""

    def become(status):
        send, left = NexudusClient._send, [status]

        def instead(client, question, headers):
            answer = send(client, question, headers)
            if question.is_write and left:
                return Answer(left.pop(), answer.headers, b"", answer.answered_at)
            return answer

        monkeypatch.setattr(NexudusClient, "_send", instead)

    return become


@pytest.mark.fault("409, 429, 401 or 408 after the entry was made", "write-back", "exact after the next run")
@pytest.mark.parametrize("status", [409, 429, 401, 408])
def test_a_refusal_after_the_entry_was_made_does_not_make_it_twice(sandbox, settings_for, entry, answered_with, status):
    answered_with(status)
    settings = settings_for(sandbox, settle_minutes=5)

    soon = record_entries(settings, [entry])
    # After a 401 nobody else will get in either, so the run ends.
    assert soon.entries[0].state is (State.UNSURE if status == 401 else State.CONFIRMED)
    assert writes_of(sandbox) == 1

    settled = record_entries(settings, [entry], clock=later)
    assert settled.entries[0].state is State.CONFIRMED
    assert len(made(sandbox, entry)) == len(sandbox.store.notified_ids) == writes_of(sandbox) == 1


@pytest.mark.fault("a throttled create that nobody can find yet, as on a lagging replica", "write-back", "warned of")
def test_after_a_throttle_an_absent_entry_is_not_sent_again_before_its_absence_counts(
    sandbox, settings_for, entry, answered_with
):
    answered_with(429)
    delete, insert = sandbox.store.delete, sandbox.store.insert
    sandbox.store.insert = lambda *texts, **more: delete(insert(*texts, **more).id)  # made, and shown to nobody yet
    settings = settings_for(sandbox, settle_minutes=5)

    for _ in range(2):
        assert record_entries(settings, [entry]).entries[0].state is State.UNSURE
    assert writes_of(sandbox) == 1


@pytest.mark.fault("the server cuts, escapes or rewrites the text", "write-back, the answer lost", "warned of")
@pytest.mark.parametrize(
    "change",
    [lambda text: text[:40], lambda text: html.escape(text[:60]), lambda text: text.split("[")[0].upper()],
    ids=["cut", "escaped and cut", "rewritten"],
)
def test_an_entry_whose_text_was_changed_is_left_unsure_and_not_sent_again(
    sandbox, settings_for, entry, monkeypatch, change
):
    insert = sandbox.store.insert
    monkeypatch.setattr(
        sandbox.store, "insert", lambda number, name, text, **more: insert(number, name, change(text), **more)
    )
    sandbox.faults.inject("write_reset_after")

    for _ in range(3):
        delivery = record_entries(settings_for(sandbox), [entry])
        assert delivery.entries[0].state is State.UNSURE
        assert "looks like it" in delivery.entries[0].detail
    assert writes_of(sandbox) == len(sandbox.store.notified_ids) == 1


@pytest.mark.fault("the entry's invoice is another by now", "write-back, the answer lost", "exact")
def test_an_entry_that_was_moved_to_another_invoice_is_found(sandbox, settings_for, entry, monkeypatch):
    insert, other = sandbox.store.insert, list(sandbox.store.invoices)[1]
    monkeypatch.setattr(sandbox.store, "insert", lambda _, *texts, **more: insert(other, *texts, **more))
    sandbox.faults.inject("write_reset_after")

    delivery = record_entries(settings_for(sandbox), [entry])

    assert delivery.entries[0].state is State.CONFIRMED
    assert writes_of(sandbox) == len(sandbox.store.notified_ids) == 1
