"""A lake holds what a file holds: the same answers landed, the same rows, the same figures."""

from datetime import UTC, datetime, timedelta

import pytest
from sandbox_settings import unpaced_settings

from pipelines.extract.axes import CREATED_ON, UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.land import ledger
from pipelines.land.pull import Pull
from pipelines.land.reconcile import reconcile
from pipelines.land.warehouse import open_warehouse
from pipelines.model.building import build_all
from pipelines.sandbox.knobs import make_knobs
from pipelines.sandbox.operators import make_operator
from pipelines.settings import Settings

LANDED = ("coworker_invoice_histories", "coworker_invoice_history_versions", "rejected_records")
PAGE = 100


def history_of(sandbox):
    now = floor_minute(sandbox.clock.now_at())
    return Window(now - timedelta(days=400), now - 5 * MINUTE)


class RecordingPull(Pull):
    """Keeps the answers that it lands, in order, those of a transaction together."""

    landed: list

    def land(self, axis, *steps):
        self.landed.append((axis, steps))
        super().land(axis, *steps)


def puller(connection, source, run_id):
    return RecordingPull(connection, source, page_size=PAGE, run_id=run_id, settle=5 * MINUTE)


def hostile_history(sandbox, connection, source):
    """Two syncs and a reconciliation of a server at its worst; what was landed, in order."""
    answers = RecordingPull.landed = []
    for run_id in ("first", "second"):
        pull = puller(connection, source, run_id)
        history = history_of(sandbox)
        pull.read(
            UPDATED_ON,
            ledger.windows_to_pull(history, ledger.closed_windows(connection, HISTORIES, UPDATED_ON), MINUTE),
        )
        sandbox.clock.advance(timedelta(hours=3))
    pull = puller(connection, source, "reconcile")
    reconcile(pull, ledger.closed_windows(connection, HISTORIES, UPDATED_ON)[-1], lambda: None)
    return answers


def rows(connection, table):
    return connection.execute(f"select * from {table} order by all").fetchall()


def figures(connection):
    built = build_all(connection, "Europe/Madrid")
    assert [check for one in built for check in one.checks if not check.passed] == []
    return {one.model.table: rows(connection, one.model.table) for one in built}


@pytest.fixture
def source(start_sandbox, tmp_path):
    sandbox = start_sandbox(make_operator(size=400, months=2), make_knobs("hostile"))
    settings = unpaced_settings(sandbox, tmp_path / "client")
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def sleep(seconds):
        nonlocal now
        now += timedelta(seconds=seconds)

    with NexudusClient(settings, clock=lambda: now, sleep=sleep) as client:
        yield sandbox, EntitySource(client, settings, HISTORIES)


def test_the_same_hostile_history_ends_in_the_same_rows_and_figures(source, lake_settings, tmp_path):
    sandbox, histories = source
    with open_warehouse(Settings(_env_file=None, data_dir=tmp_path / "file")) as file, \
            open_warehouse(lake_settings) as lake:  # fmt: skip
        answers = hostile_history(sandbox, file, histories)
        deleted = file.execute(
            "select id, deleted_at from land.coworker_invoice_histories where deleted_at is not null"
        )

        again = puller(lake, histories, "first")
        for axis, steps in list(answers):
            again.land(axis, *steps)
        for gone in deleted.fetchall():
            lake.execute("update land.coworker_invoice_histories set deleted_at = $2 where id = $1", gone)

        for table in LANDED:
            assert rows(lake, f"land.{table}") == rows(file, f"land.{table}"), table
        for axis in (UPDATED_ON, CREATED_ON):
            assert ledger.closed_windows(lake, HISTORIES, axis) == ledger.closed_windows(file, HISTORIES, axis)
        assert len(rows(lake, "land.coworker_invoice_histories")) > 350
        assert len(rows(lake, "land.coworker_invoice_history_versions")) > 400
        assert figures(lake) == figures(file)
