"""The state machine by its table, and the sender that obeys it in a world where everything goes wrong."""

import contextlib
import itertools
from dataclasses import replace as with_other
from datetime import timedelta

import pytest
from doubtful_server import SETTLE, START, Killed, World
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipelines.errors import PipelineError
from pipelines.record import states
from pipelines.record.entries import Entry
from pipelines.record.outbox import planned
from pipelines.record.sending import Sender
from pipelines.record.states import IllegalChangeError, OutboxEntry, State, after

ENTRY = Entry(invoice_id=7, name="Called", description="No answer.")
EVENTS = {
    "claimed": states.Claimed(),
    "created": states.Created(9),
    "rejected": states.Rejected("why"),
    "not sent": states.NotSent("why"),
    "doubted": states.Doubted("why", START + SETTLE),
    "found": states.Found(9),
    "absent too early": states.Absent(START + SETTLE - timedelta(seconds=1)),
    "absent": states.Absent(START + SETTLE),
    "withdrawn": states.Withdrawn("why"),
    "planned again": states.PlannedAgain(),
}
TABLE = {
    ("planned", "claimed"): "sending",
    ("planned", "found"): "confirmed",
    ("planned", "absent too early"): "planned",
    ("planned", "absent"): "planned",
    ("planned", "withdrawn"): "refused",
    ("sending", "created"): "confirmed",
    ("sending", "rejected"): "refused",
    ("sending", "not sent"): "planned",
    ("sending", "doubted"): "unsure",
    ("unsure", "doubted"): "unsure",
    ("unsure", "found"): "confirmed",
    ("unsure", "rejected"): "refused",
    ("unsure", "absent too early"): "unsure",
    ("unsure", "absent"): "planned",
    ("refused", "planned again"): "planned",
}


def in_state(state: str) -> OutboxEntry:
    settles_at = START + SETTLE if state == "unsure" else None
    return replace(planned(ENTRY, START), state=State(state), settles_at=settles_at)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, EVENTS)))
def test_every_event_in_every_state_does_what_the_table_says_or_is_a_mistake(state, event):
    entry = in_state(state)

    if (state, event) in TABLE:
        assert after(entry, EVENTS[event], START).state == TABLE[state, event]
    else:
        with pytest.raises(IllegalChangeError):
            after(entry, EVENTS[event], START)


def test_what_is_confirmed_never_changes_again():
    assert not [event for state, event in TABLE if state == "confirmed"]


def test_sending_is_reached_from_planned_alone():
    assert [state for (state, _), result in TABLE.items() if result == "sending"] == ["planned"]


def test_a_look_that_changes_nothing_is_not_written_down():
    entry = in_state("unsure")

    assert after(entry, EVENTS["absent too early"], START) is entry


def test_where_another_machine_may_be_sending_its_claim_is_left_alone_until_it_lapses():
    def never(*_: object) -> None:
        raise AssertionError("nothing was to be asked")

    claimed = after(in_state("planned"), EVENTS["claimed"], START)
    world = World(never, is_healthy=True, now=START + timedelta(hours=3), stored={ENTRY.reference: claimed})
    sender = Sender(world, never, never, never, world.clock, SETTLE, claim_lasts=timedelta(hours=4))

    assert sender.deliver(claimed) is claimed
    world.now += timedelta(hours=1)
    assert with_other(sender, look=world.look).deliver(claimed).state is State.UNSURE


def deliver(world: World) -> None:
    """One run of the program, which may be killed in it or stopped by an error."""
    world.is_dead = False
    sender = Sender(world, world.look, world.post, admit=lambda: None, clock=world.clock, settle=SETTLE)
    with contextlib.suppress(Killed, PipelineError):
        sender.deliver(world.stored[ENTRY.reference])


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_whatever_happens_an_entry_is_made_at_most_once_and_its_state_tells_no_lie(data):
    world = World(data.draw, stored={ENTRY.reference: planned(ENTRY, START)})

    for _ in range(data.draw(st.integers(1, 6))):
        deliver(world)
        entry = world.stored[ENTRY.reference]

        assert len(world.made) + len(world.late) <= 1
        if entry.state is State.CONFIRMED:
            assert (world.made, entry.entry_id) == ([entry.reference], 1)
        if entry.state is State.REFUSED:
            assert not world.made
            assert not world.late
        assert entry.state is not State.SENDING or world.is_dead
        world.pass_time(SETTLE * 2)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_when_all_is_well_again_every_entry_comes_to_its_end(data):
    world = World(data.draw, stored={ENTRY.reference: planned(ENTRY, START)})
    for _ in range(data.draw(st.integers(1, 4))):
        deliver(world)

    world.is_healthy = True
    for _ in range(2):
        world.now += SETTLE
        world.pass_time(SETTLE)
        deliver(world)

    assert world.stored[ENTRY.reference].is_final
    assert len(world.made) == (world.stored[ENTRY.reference].state is State.CONFIRMED)
