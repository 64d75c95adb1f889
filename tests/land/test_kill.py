"""However a run ends, what it closed stays closed and complete, and the next one goes on from there."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import landing_process
import pytest
from sandbox_settings import environment_for

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import Window, gaps
from pipelines.land import ledger
from pipelines.land.status import read_status
from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.operators import make_operator

PAGES = 24
PAGE = 50
COMMAND = str(Path(sys.executable).with_name("nexudus-billing"))


@pytest.fixture
def sandbox_operator():
    return make_operator(size=PAGES * PAGE, months=3)


@pytest.fixture
def slow_sandbox(sandbox):
    sandbox.knobs.slow_rate, sandbox.knobs.slow_seconds = 1.0, 0.02
    return sandbox


def wait_for_request(sandbox, number, process, seconds=30):
    give_up_at = time.monotonic() + seconds
    while sandbox.requests.data_count < number and process.poll() is None:
        assert time.monotonic() < give_up_at
        time.sleep(0.002)


def truth(sandbox, until):
    rows = sandbox.store.truth(lambda entry: datetime.fromtimestamp(entry.updated_on, UTC) < until)
    return [(row["Id"], row["UpdatedOn"]) for row in rows]


def landed(connection):
    return connection.execute("select id, updated_on from land.coworker_invoice_histories order by id").fetchall()


def check_that_kills_cost_nothing(sandbox, settings, kills, seed):
    dice, history = random.Random(seed), landing_process.history_of(sandbox)
    for number in range(kills):
        asked = sandbox.requests.data_count
        with landing_process.start(sandbox, settings.data_dir, history, f"killed {number}") as process:
            # One answer more or less in each of the kills, so that many of them fit into one first sync.
            wait_for_request(sandbox, asked + 1 + dice.randrange(4), process)
            time.sleep(dice.random() * 0.03)
            process.kill()
        if not Path(settings.warehouse_path).exists():
            continue
        with open_warehouse(settings, read_only=True) as connection:
            closed = ledger.closed_windows(connection, HISTORIES, UPDATED_ON)
            ids = {row_id for row_id, _ in landed(connection)}
            assert {i for i, updated in truth(sandbox, history[1]) if any(updated in one for one in closed)} <= ids
            read_status(connection, HISTORIES, history[0], None, datetime.now(UTC))
    asked = sandbox.requests.data_count
    with open_warehouse(settings) as connection:
        missing = gaps([Window(*history)], ledger.closed_windows(connection, HISTORIES, UPDATED_ON))
        lacking = sum(any(updated in gap for gap in missing) for _, updated in truth(sandbox, history[1]))
    with landing_process.start(sandbox, settings.data_dir, history, "last") as process:
        assert process.wait(60) == 0, process.stderr.read()
    with open_warehouse(settings) as connection:
        assert landed(connection) == truth(sandbox, history[1])
        assert ledger.closed_windows(connection, HISTORIES, UPDATED_ON) == [Window(*history)]
    # A question a page of what was lacking, one for each gap's end, and the newest minutes again.
    assert sandbox.requests.data_count - asked <= 1.2 * lacking / PAGE + 2 * len(missing) + 6


def test_killed_at_random_instants_the_next_run_goes_on(slow_sandbox, settings_for):
    check_that_kills_cost_nothing(slow_sandbox, settings_for(slow_sandbox), kills=3, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_many_random_instants_the_next_run_goes_on(start_sandbox, settings_for, seed):
    sandbox = start_sandbox(make_operator(size=60 * PAGE, months=3))
    sandbox.knobs.slow_rate, sandbox.knobs.slow_seconds = 1.0, 0.02
    check_that_kills_cost_nothing(sandbox, settings_for(sandbox), kills=12, seed=seed)


def test_a_full_disk_leaves_what_was_landed_as_it_was(sandbox, settings_for):
    settings, history = settings_for(sandbox), landing_process.history_of(sandbox)
    middle = history[1].replace(day=1)
    with landing_process.start(sandbox, settings.data_dir, (history[0], middle), "first") as process:
        assert process.wait(60) == 0, process.stderr.read()
    with open_warehouse(settings) as connection:
        before = landed(connection)

    # No file may grow beyond this, which ends a write as a full disk does: the log of changes breaks off in an answer.
    with landing_process.start(sandbox, settings.data_dir, history, "second", 150_000) as process:
        (sentence,) = process.stderr.read().splitlines()
        assert process.wait(60) == 1

    assert "make room on its disk" in sentence
    with open_warehouse(settings) as connection:
        assert set(before) <= set(landed(connection))
    with landing_process.start(sandbox, settings.data_dir, history, "third") as process:
        assert process.wait(60) == 0, process.stderr.read()
    with open_warehouse(settings) as connection:
        assert landed(connection) == truth(sandbox, history[1])


def command_environment(sandbox, settings):
    own = {"PATH": os.environ["PATH"], "NEXUDUS_PAGE_SIZE": str(PAGE)}
    return own | environment_for(sandbox, settings.data_dir)


def start_command(sandbox, settings, *arguments, **changes):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = command_environment(sandbox, settings) | changes
    return subprocess.Popen([COMMAND, *arguments], env=environment, cwd=settings.data_dir.parent, **pipes)


def test_sigterm_ends_a_sync_soon_with_a_sentence_also_while_the_server_hangs(sandbox, settings_for, tmp_path):
    settings = settings_for(sandbox)
    with start_command(sandbox, settings, "sync") as process:
        wait_for_request(sandbox, 8, process)
        sandbox.knobs.slow_rate, sandbox.knobs.slow_seconds = 1.0, 25.0
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    took = time.monotonic() - began
    sandbox.knobs.slow_rate = 0.0

    assert process.returncode == 1, said
    assert took < 10
    (sentence,) = [line for line in said.splitlines() if line.strip() and "Pull" not in line]
    assert sentence.startswith("Stopped")
    with open_warehouse(settings) as connection:
        (outcome,) = connection.execute("select outcome from land.runs order by started_at desc limit 1").fetchone()
        assert outcome is None or outcome != "done"


WAITS = {
    "the pace is used up": ({"NEXUDUS_REQUESTS_PER_MINUTE": "3"}, {}),
    "a Retry-After": ({}, {"throttle_409_rate": 1.0, "throttle_wait_seconds": 100.0}),
    "a retry": ({}, {"throttle_bare_rate": 1.0}),
    "four readers": ({"NEXUDUS_PAGE_SIZE": "5"}, {"slow_rate": 1.0, "slow_seconds": 0.3}),
}


@pytest.mark.slow
@pytest.mark.fault("SIGTERM", "any moment of a sync, or while it waits", "exact after the next run")
@pytest.mark.parametrize(
    ("seconds", "wait"), [*((at, "") for at in (0.5, 1, 2, 3, 4.5, 6, 8, 10, 13)), *((4, w) for w in WAITS)]
)
def test_sigterm_ends_a_sync_soon_at_any_moment(sandbox, settings_for, seconds, wait):
    settings, (environment, knobs) = settings_for(sandbox), WAITS.get(wait, ({}, {}))
    for name, value in knobs.items():
        setattr(sandbox.knobs, name, value)
    with start_command(sandbox, settings, "sync", **environment) as process:
        time.sleep(seconds)
        used, began = cpu_seconds(process.pid), time.monotonic()
        process.send_signal(signal.SIGTERM)
        ends_by = began + 30
        while process.poll() is None and time.monotonic() < ends_by:
            took = time.monotonic() - began, (cpu_seconds(process.pid) or used) - used
            time.sleep(0.1)
        _, said = process.communicate(timeout=1)

    assert process.returncode == 0 or (process.returncode == 1 and said.strip().splitlines()[-1].startswith("Stopped"))
    assert min(took) < 5, took  # of a busy machine the seconds that it worked count


def cpu_seconds(pid):
    with suppress(FileNotFoundError, ProcessLookupError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


@pytest.mark.slow
def test_two_syncs_at_once_leave_it_right(sandbox, settings_for):
    settings = settings_for(sandbox)
    with start_command(sandbox, settings, "sync") as one, start_command(sandbox, settings, "sync") as other:
        ended = [(process.communicate(timeout=180), process.returncode) for process in (one, other)]

    for (_, said), code in ended:
        assert code == 0 or (code == 1 and "held by" in said), said
    assert 0 in [code for _, code in ended]
    with open_warehouse(settings) as connection:
        (count,) = connection.execute("select count(*) from land.coworker_invoice_histories").fetchone()
        assert count == len(sandbox.store)


def test_two_readers_at_once_take_turns(sandbox, settings_for):
    settings, history = settings_for(sandbox), landing_process.history_of(sandbox)
    sandbox.knobs.slow_rate, sandbox.knobs.slow_seconds = 1.0, 0.02
    with (
        landing_process.start(sandbox, settings.data_dir, history, "one") as one,
        landing_process.start(sandbox, settings.data_dir, history, "other") as other,
    ):
        assert (one.wait(60), other.wait(60)) == (0, 0)

    with open_warehouse(settings) as connection:
        assert landed(connection) == truth(sandbox, history[1])
        assert connection.execute("select count(*) from land.runs where outcome = 'done'").fetchone() == (2,)
    assert sandbox.requests.data_count <= 1.2 * PAGES + 10


def test_status_can_be_read_right_after_a_kill(slow_sandbox, settings_for):
    settings, history = settings_for(slow_sandbox), landing_process.history_of(slow_sandbox)
    with landing_process.start(slow_sandbox, settings.data_dir, history, "killed") as process:
        wait_for_request(slow_sandbox, 6, process)
        process.kill()
    assert Path(f"{settings.warehouse_path}.wal").exists()

    with open_warehouse(settings, read_only=True) as connection:
        status = read_status(connection, HISTORIES, history[0], None, datetime.now(UTC))

    assert status.row_count > 0
    assert status.last_run.ended_at is None
    assert any("did not end well" in warning for warning in status.warnings)
