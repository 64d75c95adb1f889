"""From the sandbox into the warehouse over HTTP: exact, resumable, and nothing half done when it is killed."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, floor_minute, gaps
from pipelines.land import ledger
from pipelines.land import pull as pulling
from pipelines.land.pull import Pull, PullReport, close_before_first_entry
from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.knobs import make_knobs
from pipelines.sandbox.operators import make_operator

PAGE = 100


@pytest.fixture
def sandbox_operator():
    """Some 900 entries of three months."""
    return make_operator(size=900, months=3)


def history_of(sandbox):
    """All that may be read of a sandbox by its clock."""
    now = floor_minute(sandbox.clock.now_at())
    return Window(now - timedelta(days=400), now - 5 * MINUTE)


def puller(connection, source, run_id="run"):
    return Pull(connection, source, page_size=PAGE, run_id=run_id, settle=5 * MINUTE)


def pull_all(connection, source, history, run_id="run"):
    """What a sync does with the UpdatedOn axis."""
    pull = puller(connection, source, run_id)
    pull.read(
        UPDATED_ON,
        ledger.windows_to_pull(history, ledger.closed_windows(connection, HISTORIES, UPDATED_ON), 60 * MINUTE),
    )
    return pull.report


def landed(connection):
    columns = connection.execute(
        f"select {', '.join(HISTORIES.contract.columns)} from land.coworker_invoice_histories order by id"
    ).fetchall()
    return [dict(zip(HISTORIES.contract.columns.values(), row, strict=True)) for row in columns]


def truth(sandbox, until):
    rows = sandbox.store.truth(lambda entry: datetime.fromtimestamp(entry.updated_on, UTC) < until)
    return [{name: row[name] for name in HISTORIES.contract.columns.values()} for row in rows]


def test_a_pull_lands_every_row_and_every_column_as_the_source_has_it(sandbox, warehouse, histories_of):
    history = history_of(sandbox)

    report = pull_all(warehouse, histories_of(sandbox), history)

    expected = truth(sandbox, history.end)
    assert landed(warehouse) == expected
    assert report.rows.new == len(expected) > 800
    assert all(isinstance(row["CoworkerInvoiceTotalAmount"], Decimal) for row in landed(warehouse))
    assert ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON) == [history]


def test_a_first_pull_asks_little_more_than_a_question_a_page(sandbox, warehouse, histories_of):
    pull_all(warehouse, histories_of(sandbox), history_of(sandbox))

    assert sandbox.requests.data_count <= 1.05 * -(-len(sandbox.store) // PAGE) + 2


def test_a_second_pull_asks_once_and_changes_nothing(sandbox, warehouse, histories_of):
    source, history = histories_of(sandbox), history_of(sandbox)
    pull_all(warehouse, source, history)
    before = warehouse.execute("select * from land.coworker_invoice_histories order by id").fetchall()
    asked = sandbox.requests.data_count

    report = pull_all(warehouse, source, history, run_id="second run")

    assert sandbox.requests.data_count - asked <= 2  # one of them whether it still is the same account
    assert report.rows.new == report.rows.changed == 0
    after = warehouse.execute("select * from land.coworker_invoice_histories order by id").fetchall()
    seen_at = [column[0] for column in warehouse.description].index("seen_at")
    assert [row[:seen_at] + row[seen_at + 1 :] for row in after] == [
        row[:seen_at] + row[seen_at + 1 :] for row in before
    ]


def test_the_empty_years_before_the_first_entry_cost_one_question(sandbox, warehouse, histories_of):
    source = histories_of(sandbox)
    history = Window(datetime(2012, 1, 1, tzinfo=UTC), history_of(sandbox).end)

    close_before_first_entry(puller(warehouse, source), history)

    (empty,) = ledger.closed_windows(warehouse, HISTORIES, UPDATED_ON)
    first = datetime.fromtimestamp(sandbox.store.by_updated_on.items[0].updated_on, UTC)
    assert (empty.start, empty.end) == (history.start, floor_minute(first))
    assert sandbox.requests.data_count == 1

    close_before_first_entry(puller(warehouse, source), history)
    assert sandbox.requests.data_count == 1


class Died(BaseException):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("place", ["land_pages", "close"])
@pytest.mark.parametrize("fatal", [1, 4])
def test_rows_and_ledger_of_an_answer_land_together_or_not_at_all(
    sandbox, warehouse, histories_of, monkeypatch, *, place, fatal
):
    module = pulling if place == "land_pages" else ledger
    real, calls = getattr(module, place), []

    def do_it_and_die(*args, **kwargs):
        calls.append(args)
        result = real(*args, **kwargs)
        if len(calls) == fatal:
            raise Died
        return result

    source, history = histories_of(sandbox), history_of(sandbox)
    monkeypatch.setattr(module, place, do_it_and_die)
    with pytest.raises(Died):
        pull_all(warehouse, source, history)

    check_that_rows_and_ledger_agree(warehouse, sandbox, history, answers=fatal - 1)
    pull_all(warehouse, source, history)
    assert landed(warehouse) == truth(sandbox, history.end)


def check_that_rows_and_ledger_agree(connection, sandbox, history, *, answers):
    """Just so many answers are there, and every row of the minutes that they closed."""
    closed = ledger.closed_windows(connection, HISTORIES, UPDATED_ON)
    known = {row["Id"] for row in landed(connection)}
    assert {row["Id"] for row in truth(sandbox, history.end) if any(row["UpdatedOn"] in one for one in closed)} <= known
    (requests,) = connection.execute("select coalesce(sum(request_count), 0) from land.windows").fetchone()
    assert requests == answers
    assert PAGE * answers * 0.9 <= len(known) <= PAGE * answers


DIES_HARD = """
import os, signal, sys
from datetime import datetime, timedelta
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.windows import Window
from pipelines.land import pull as pulling
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings

settings = Settings(_env_file=None)
start, end, fatal = datetime.fromisoformat(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
close, calls = pulling.ledger.close, []

def close_and_die(*args, **kwargs):
    close(*args, **kwargs)
    calls.append(args)
    if len(calls) == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

pulling.ledger.close = close_and_die
with NexudusClient(settings) as client, open_warehouse(settings) as connection:
    source = EntitySource(client, settings, HISTORIES)
    pull = pulling.Pull(connection, source, page_size=100, run_id="killed", settle=timedelta(minutes=5))
    pull.read(UPDATED_ON, [Window(start, end)])
"""


def test_a_process_killed_before_the_commit_leaves_nothing_half_done_and_the_next_one_goes_on(sandbox, settings_for):
    settings, history = settings_for(sandbox), history_of(sandbox)
    environment = os.environ | {
        "NEXUDUS_BASE_URL": sandbox.base_url,
        "NEXUDUS_USERNAME": sandbox.username,
        "NEXUDUS_PASSWORD": sandbox.password,
        "NEXUDUS_DATA_DIR": str(settings.data_dir),
        "NEXUDUS_WAREHOUSE": settings.warehouse_path,
        "NEXUDUS_LAKE_DATA_PATH": settings.lake_data_path or "",
        "NEXUDUS_REQUEST_SPACING_MS": "0",
    }
    command = [sys.executable, "-c", DIES_HARD, history.start.isoformat(), history.end.isoformat(), "5"]

    killed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    asked_before = sandbox.requests.data_count
    with open_warehouse(settings) as connection, NexudusClient(settings) as client:
        check_that_rows_and_ledger_agree(connection, sandbox, history, answers=4)
        gap = gaps([history], ledger.closed_windows(connection, HISTORIES, UPDATED_ON))
        puller(connection, EntitySource(client, settings, HISTORIES), run_id="next").read(UPDATED_ON, gap)
        assert landed(connection) == truth(sandbox, history.end)
    assert sandbox.requests.data_count - asked_before <= 7


@pytest.mark.parametrize("profile", ["busy", "hostile"])
def test_a_pull_and_a_quiet_one_are_exact_however_the_server_behaves(start_sandbox, warehouse, histories_of, profile):
    sandbox = start_sandbox(make_operator(size=900, months=3), make_knobs(profile, past_stamp_rate=0))
    source = histories_of(sandbox)
    pull_all(warehouse, source, history_of(sandbox))

    for name in ("update", "delete", "insert", "late_insert", "pay", "refund"):
        setattr(sandbox.knobs, f"{name}_rate", 0)
    sandbox.clock.advance(timedelta(minutes=10))
    history = history_of(sandbox)
    pull_all(warehouse, source, history, run_id="quiet run")

    gone = sandbox.store.deleted_ids
    live = {row["Id"]: row["UpdatedOn"] for row in truth(sandbox, history.end)}
    # A hostile server writes fractions of a second that the truth does not have.
    found = {row["Id"]: row["UpdatedOn"].replace(microsecond=0) for row in landed(warehouse) if row["Id"] not in gone}
    assert found == live
    assert sandbox.store.changes.total() > 0
    (rejected,) = warehouse.execute("select count(*) from land.rejected_records").fetchone()
    assert rejected == 0


def test_what_was_read_is_told_in_utc_whatever_the_clock_of_the_machine():
    tokyo = timezone(timedelta(hours=9))
    window = Window(datetime(2025, 3, 1, 8, tzinfo=tokyo), datetime(2025, 3, 1, 9, 30, tzinfo=tokyo))

    assert PullReport(windows=[(UPDATED_ON, window)]).pulled == "2025-02-28T23:00 to 2025-03-01T00:30 UTC"
