"""The recipes of docs/running.md, run as they stand there, and what a monitor is told."""

import json
import os
import re
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from command_line import run_here
from sandbox_settings import environment_for

from pipelines.publish import bucket, releases
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.sandbox.tokens import User
from pipelines.settings import load_settings, utc_now

PAGE = (Path(__file__).parents[1] / "docs" / "running.md").read_text(encoding="utf-8")
BACK_UP, RESTORE, CHANGE_LOGIN = re.findall(r"```bash\n(.*?)```", PAGE.partition("## Recipes")[2], re.DOTALL)


@pytest.fixture(scope="module")
def tenant():
    with running_sandbox(make_operator(size=300, months=2, until=utc_now())) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def calls():
    """What calls the heartbeat's address."""
    seen = []

    class Monitor(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_): ...

    with HTTPServer(("127.0.0.1", 0), Monitor) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ping", seen
        server.shutdown()


@pytest.fixture(scope="module")
def synced(tmp_path_factory, tenant, calls):
    """A data directory after one sync, with its settings in the environment."""
    with pytest.MonkeyPatch.context() as on:
        folder = tmp_path_factory.mktemp("running")
        on.chdir(folder)
        on.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
        for name, value in {
            **environment_for(tenant, folder / "data"),
            "NEXUDUS_HEARTBEAT_URL": calls[0],
            "NEXUDUS_PUBLISH_TO": f"file://{folder / 'bucket'}",
            "DAGSTER_HOME": str(folder / "data" / "dagster"),
        }.items():
            on.setenv(name, value)
        assert run_here("sync").code == 0
        yield folder / "data"


def shell(recipe):
    """Run a recipe; the program is the one of this environment."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", recipe],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_good_sync_calls_the_heartbeat_once_and_one_that_fails_does_not(synced, calls, tenant, monkeypatch):
    assert calls[1] == ["/ping"]
    monkeypatch.setattr(tenant.knobs, "roles", "")
    assert run_here("sync").code == 3
    assert calls[1] == ["/ping"]


def test_a_heartbeat_that_does_not_arrive_is_a_warning(synced, monkeypatch):
    monkeypatch.setenv("NEXUDUS_HEARTBEAT_URL", "http://127.0.0.1:9/canary")
    ran = run_here("sync")
    assert ran.code == 0
    assert "NEXUDUS_HEARTBEAT_URL" in ran.err
    assert "canary" not in ran.err


def test_status_check_tells_a_monitor(synced, monkeypatch):
    ran = run_here("status", "--check")
    assert (ran.code, ran.out[:3], ran.err) == (0, "OK:", "")

    with monkeypatch.context() as later:
        later.setattr("pipelines.settings.utc_now", lambda: utc_now() + timedelta(hours=37))
        ran = run_here("status", "--check")
        assert (ran.code, ran.out) == (1, "")
        assert "newest data" in ran.err
        alarms = json.loads(run_here("status", "--json").out)["alarms"]
        assert [alarm in ran.err for alarm in alarms] == [True]


def test_status_check_tells_of_figures_that_lag_behind_what_was_read_or_were_changed(synced, monkeypatch):
    monkeypatch.setattr("pipelines.cli._CHECK_WAIT_SECONDS", 0.1)
    table = "land.coworker_invoice_histories"
    change = f"update {table} set first_seen_at = $at where id = (select max(id) from {table})"
    with duckdb.connect(str(synced / "warehouse.duckdb")) as connection:
        connection.execute("begin")
        before = connection.execute(f"select max(first_seen_at) from {table}").fetchall()[0][0]
        connection.execute(change, {"at": utc_now()})
        connection.execute("commit")
        assert run_here("status", "--check").code == 1  # this connection holds the file
    assert run_here("status", "--check").code == 0  # a sync might be about to publish
    with monkeypatch.context() as later:
        later.setattr("pipelines.settings.utc_now", lambda: utc_now() + timedelta(hours=3))
        ran = run_here("status", "--check")
        assert (ran.code, "is not published" in ran.err) == (1, True)
    with duckdb.connect(str(synced / "warehouse.duckdb")) as connection:
        connection.execute(change, {"at": before})

    wal = releases.changes_beside(synced / "analytics.duckdb")
    wal.touch()
    ran = run_here("status", "--check")
    wal.unlink()
    assert (ran.code, "Another program" in ran.err) == (1, True)


def test_lines_are_json_where_a_collector_wants_them(synced, monkeypatch):
    ran = run_here("--log-format", "json", "sync")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, {line["level"] for line in lines}, lines[0]["message"][:6]) == (0, {"info"}, "Pulled")
    monkeypatch.delenv("NEXUDUS_PASSWORD")
    (line,) = [json.loads(line) for line in run_here("--log-format", "json", "sync").err.splitlines()]
    assert (line["level"], "NEXUDUS_PASSWORD" in line["message"]) == ("error", True)


@pytest.fixture(scope="module")
def restored(synced, calls):
    """A backup restored elsewhere and synced there, while the bucket takes nothing: what was run, and where to."""
    bucket_folder, elsewhere = synced.parent / "bucket", synced.parent / "moved"
    done = shell(BACK_UP)
    assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as on:
        on.setenv("NEXUDUS_DATA_DIR", str(elsewhere))
        on.setenv("DAGSTER_HOME", str(elsewhere / "dagster"))
        unpacking, _, commands = RESTORE.partition("\n")
        done = shell(unpacking)
        assert done.returncode == 0, done.stderr
        aside = bucket_folder.rename(synced.parent / "aside")
        bucket_folder.write_bytes(b"no folder any more")
        beats = len(calls[1])
        # In this process: Dagster's record of runs on disk takes most of the time of a small sync.
        ran = [run_here(*command.split()[1:]) for command in commands.split("&&")]
        ran.append(run_here("status", "--check"))
        assert len(calls[1]) == beats  # readers of the bucket wait in vain
        bucket_folder.unlink()
        aside.rename(bucket_folder)
        assert bucket.upload(load_settings()) is None
        ran.append(run_here("status", "--check"))
    return ran, elsewhere


def test_a_backup_is_restored_elsewhere_and_reads_nothing_twice(restored):
    (status, sync, _, checked), folder = restored
    assert Path("nexudus-backup.tar.gz").stat().st_mode & 0o077 == 0
    assert (status.code, sync.code, checked.code) == (0, 0, 0)
    assert re.search(r": 0 new, 0 changed", sync.out)
    assert (folder / "analytics.duckdb").stat().st_mode & 0o777 == 0o600


def test_an_upload_that_fails_is_told_and_stops_no_sync(restored, synced):
    (_, sync, checked, _), folder = restored
    assert "Published" in sync.out
    assert (checked.code, checked.err) == (1, sync.err)
    assert sync.err.startswith("Release 2 is not in file://")
    assert (synced.parent / "bucket" / "analytics.duckdb").read_bytes() == (folder / "analytics.duckdb").read_bytes()


@pytest.mark.parametrize(
    ("user", "setting", "value"),
    [
        (User("admin@example.com", "another", None), "NEXUDUS_PASSWORD", "another"),
        (User("admin@example.com", "sandbox", "JBSWY3DPEHPK3PXP"), "NEXUDUS_TOTP_SECRET", "JBSWY3DPEHPK3PXP"),
    ],
)
@pytest.mark.usefixtures("synced")
def test_a_changed_login_is_refused_until_the_setting_is_changed(tenant, monkeypatch, user, setting, value):
    monkeypatch.setattr(tenant.tokens, "users", [user])

    assert shell(CHANGE_LOGIN).returncode == 3
    monkeypatch.setenv(setting, value)
    assert shell(CHANGE_LOGIN).returncode == 0
