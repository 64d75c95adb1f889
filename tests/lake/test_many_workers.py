"""Several processes write to one lake: nothing twice, nothing half, and readers see whole answers."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tested_warehouse import as_environment
from wire_records import ANSWERED_AT, wire

from pipelines.extract.histories import HISTORIES
from pipelines.land.merge import Page, land_pages
from pipelines.land.warehouse import open_warehouse, warehouse_of

pytestmark = pytest.mark.lake
TABLE = "land.coworker_invoice_histories"

# Lands an entry and waits within its turn until it is killed, or told to go on.
WORKER = """
import sys
from wire_records import ANSWERED_AT, wire
from pipelines.extract.histories import HISTORIES
from pipelines.land.merge import Page, land_pages
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

settings = Settings(_env_file=None)
with open_warehouse(settings) as connection, warehouse_of(settings).writing_alone(connection):
    land_pages(connection, HISTORIES, [Page([HISTORIES.contract.read(wire(Id=1, Name="worker"))], [], ANSWERED_AT)])
    print("landed", flush=True)
    sys.stdin.read()
"""


@contextmanager
def worker_inside_its_turn(settings):
    environment = as_environment(
        {
            "data_dir": str(settings.data_dir),
            "warehouse": settings.warehouse_path,
            "lake_data_path": settings.lake_data_path,
            "lake_s3_endpoint": settings.lake_s3_endpoint or "",
            "lake_s3_key_id": settings.lake_s3_key_id.get_secret_value() if settings.lake_s3_key_id else "",
            "lake_s3_secret": settings.lake_s3_secret.get_secret_value() if settings.lake_s3_secret else "",
        }
    )
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment | {"PYTHONPATH": path},
    ) as worker:
        assert worker.stdout.readline() == "landed\n"
        yield worker


def land(settings, minute, ids, name):
    with open_warehouse(settings) as connection, warehouse_of(settings).writing_alone(connection):
        records = [HISTORIES.contract.read(wire(Id=row_id, Name=name)) for row_id in ids]
        return land_pages(connection, HISTORIES, [Page(records, [], ANSWERED_AT + timedelta(minutes=minute))])


def rows(settings, columns):
    with open_warehouse(settings, read_only=True) as connection:
        return connection.execute(f"select {columns} from {TABLE} order by all").fetchall()


def test_an_entry_that_two_workers_land_at_once_is_one_row(shared_lake):
    land(shared_lake, 0, [], "")
    with ThreadPoolExecutor(4) as workers:
        asked = [workers.submit(land, shared_lake, i, range(i, i + 50), f"worker {i}") for i in range(4)]
        counts = [one.result() for one in asked]

    assert sum(one.new for one in counts) == 53
    assert rows(shared_lake, "id") == [(row_id,) for row_id in range(53)]
    assert {name for (name,) in rows(shared_lake, "name")} == {f"worker {i}" for i in range(4)}


def test_a_worker_that_is_killed_leaves_nothing_and_its_turn(shared_lake):
    with worker_inside_its_turn(shared_lake) as worker:
        worker.send_signal(signal.SIGKILL)

    land(shared_lake, 1, [1], "after")
    assert rows(shared_lake, "id, name") == [(1, "after")]


def test_readers_neither_wait_nor_see_half(shared_lake):
    land(shared_lake, 0, [2], "before")
    with worker_inside_its_turn(shared_lake) as worker:
        assert rows(shared_lake, "name") == [("before",)]
        worker.stdin.close()

    assert rows(shared_lake, "name") == [("before",), ("worker",)]


def test_a_worker_waits_until_another_has_had_its_turn(shared_lake):
    with worker_inside_its_turn(shared_lake) as worker, ThreadPoolExecutor(1) as other:
        waiting = other.submit(land, shared_lake, 1, [1], "second")
        with pytest.raises(TimeoutError):
            waiting.result(timeout=2)
        worker.stdin.close()
        assert waiting.result(timeout=60).changed == 1

    assert rows(shared_lake, "name") == [("second",)]
