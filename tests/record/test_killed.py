"""SIGKILL at any instant, one process or two at once: every entry is made once, or unsure and not sent again."""

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
import sender_process
from on_the_server import made

from pipelines.land.warehouse import open_warehouse
from pipelines.record.entries import Entry
from pipelines.record.outbox import read
from pipelines.record.states import State
from pipelines.sandbox.emulator import Sandbox
from pipelines.settings import Settings

# About as long as two entries take, so that the kills of a run fall into every part of it.
_LONGEST_LIFE_SECONDS = 0.3


@dataclass
class Ordeal:
    """Runs of a batch of entries, killed again and again until nothing is left to do."""

    sandbox: Sandbox
    settings: Settings
    chance: random.Random
    kills: int = 0
    interrupted: Counter[str] = field(default_factory=Counter)

    def batch(self, name: str, count: int) -> list[Entry]:
        invoices = self.chance.sample(list(self.sandbox.store.invoices), count)
        return [Entry(invoice_id=one, name=name, description="No answer.", notify=True) for one in invoices]

    def run(self, entries: list[Entry], *, senders: int, most_kills: int) -> None:
        """Start senders of the same entries and kill them all, until a round ends by itself."""
        for _ in range(most_kills):
            processes = [sender_process.start(self.settings.model_dump(), entries) for _ in range(senders)]
            asked = len(self.sandbox.requests)
            # One in five dies before its first request, somewhere in its beginnings.
            is_early = self.chance.random() < 0.2
            while not is_early and len(self.sandbox.requests) == asked and any(one.is_alive() for one in processes):
                time.sleep(0.001)
            time.sleep(self.chance.uniform(0, _LONGEST_LIFE_SECONDS))
            self.chance.shuffle(processes)
            lived = [process.is_alive() for process in processes]
            for process in processes:
                process.kill()
                process.join()
            self.kills += sum(lived)
            if not any(lived):
                return
            self.interrupted.update(row.state for row in self.rows(entries).values())

    def finish(self, entries: list[Entry], minutes_ahead: int = 0) -> int | None:
        process = sender_process.start(self.settings.model_dump(), entries, minutes_ahead=minutes_ahead)
        process.join()
        return process.exitcode

    def rows(self, entries: list[Entry]):
        with open_warehouse(self.settings) as connection:
            return read(connection, [entry.reference for entry in entries])


@pytest.fixture
def ordeal(sandbox, settings_for) -> Ordeal:
    # Seeded, so that a failure can be had again as far as the machine's own timing allows.
    return Ordeal(sandbox, settings_for(sandbox, settle_minutes=5), random.Random(20260131))


def check(ordeal: Ordeal, entries: list[Entry], notified_before: int) -> None:
    """After the kills nothing is there twice; a run without one leaves no doubt but the unsettled; later, none."""
    assert max(len(made(ordeal.sandbox, entry)) for entry in entries) <= 1
    ordeal.finish(entries)
    for reference, row in ordeal.rows(entries).items():
        there = made(ordeal.sandbox, next(entry for entry in entries if entry.reference == reference))
        assert (row.state, len(there)) in {(State.CONFIRMED, 1), (State.UNSURE, 0)}, row
    # The server's faults go on, and one may meet the last entry too: then it is unsure once more, and settled later.
    assert any(ordeal.finish(entries, minutes_ahead=10 * later) == 0 for later in range(1, 6))
    assert [len(made(ordeal.sandbox, entry)) for entry in entries] == [1] * len(entries)
    assert len(ordeal.sandbox.store.notified_ids) - notified_before == len(entries)


@pytest.mark.parametrize("senders", [1, 2])
def test_killed_a_few_times_every_entry_is_made_and_notified_once(ordeal, senders):
    entries = ordeal.batch("Called", 8)

    ordeal.run(entries, senders=senders, most_kills=4)

    assert ordeal.kills >= 3
    check(ordeal, entries, notified_before=0)


@pytest.mark.slow
@pytest.mark.parametrize("senders", [1, 2])
def test_killed_at_sixty_instants_of_runs_of_fifty_every_entry_is_made_and_notified_once(ordeal, senders, capsys):
    ordeal.sandbox.knobs.slow_seconds = 0.05
    for fault in ("write_500_after", "write_reset_before", "write_reset_after", "write_made_late", "write_refused"):
        setattr(ordeal.sandbox.knobs, f"{fault}_rate", 0.03)
    batch = 0
    while ordeal.kills < 60:
        entries = ordeal.batch(f"Called {batch}", 50)
        notified_before = len(ordeal.sandbox.store.notified_ids)
        ordeal.run(entries, senders=senders, most_kills=60)
        check(ordeal, entries, notified_before)
        batch += 1
    with capsys.disabled():
        sys.stdout.write(f"{ordeal.kills} kills in {batch} runs of 50; states then: {dict(ordeal.interrupted)}\n")
