"""Dagster's instance as the command line uses it: made once by any number of processes, kept when versions change."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from pipelines.orchestrate.dagster_internals import sqlite_held_open
from pipelines.orchestrate.in_process import dagster_instance, instance_template, use_dagster_home
from pipelines.settings import Settings

OPEN = """
import sys
from pathlib import Path
from pipelines.orchestrate.dagster_internals import sqlite_held_open
from pipelines.orchestrate.in_process import dagster_instance
from pipelines.settings import Settings
print("ready", flush=True)
sys.stdin.read()
with dagster_instance(Settings(_env_file=None, data_dir=Path(sys.argv[1]))) as instance:
    instance.get_runs_count()
"""
OF_0_1_0 = """\
telemetry:
  enabled: false

# The stock SQLite files, read and written with connections that stay open: a run of some 500 events is seconds faster.
storage:
  custom:
    module: pipelines.dagster_storage
    class: SteadySqliteStorage
    config:
      base_dir:
        env: DAGSTER_HOME

# A line of the user's own.
run_launcher:
  module: pipelines.run_launcher
  class: WatchfulRunLauncher

concurrency:
  pools:
    default_limit: 3
"""
CORRECTED = """\
telemetry:
  enabled: false

storage:
  sqlite:
    base_dir:
      env: DAGSTER_HOME

# A line of the user's own.
run_launcher:
  module: pipelines.orchestrate.dagster_internals
  class: WatchfulRunLauncher

concurrency:
  pools:
    default_limit: 3
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    return Settings(_env_file=None, data_dir=tmp_path / "data")


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_processes_that_open_a_new_instance_at_once_all_get_it(tmp_path, rounds):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    for number in range(rounds):
        command = [sys.executable, "-W", "ignore", "-c", OPEN, str(tmp_path / f"data {number}")]
        processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.close()
        for process in processes:
            with process:
                assert process.wait(60) == 0, process.stderr.read()


def test_a_dagster_yaml_of_0_1_0_is_corrected_and_keeps_its_other_lines(settings):
    home = settings.data_dir / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(OF_0_1_0, encoding="utf-8")

    with dagster_instance(settings) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 3
        assert type(instance.run_launcher).__module__ == "pipelines.orchestrate.dagster_internals"
        assert Path(instance.storage_directory()).is_relative_to(home)

    text = (home / "dagster.yaml").read_text(encoding="utf-8")
    assert text == CORRECTED
    use_dagster_home(settings)
    assert (home / "dagster.yaml").read_text(encoding="utf-8") == text


def test_a_server_that_starts_before_any_command_still_understands_a_dagster_yaml_of_0_1_0(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(OF_0_1_0, encoding="utf-8")

    @dg.asset
    def something(): ...

    with dg.DagsterInstance.get() as instance:
        assert instance.run_launcher.supports_check_run_worker_health
        assert dg.materialize([something], instance=instance).success
    (tmp_path / "dagster.yaml").write_bytes(instance_template().read_bytes())
    with dg.DagsterInstance.get() as instance:
        assert instance.get_latest_materialization_event(something.key)


def test_while_a_run_holds_sqlite_open_its_journals_are_not_written_back_at_each_event(settings):
    @dg.asset
    def something(): ...

    with dagster_instance(settings) as instance:
        index = settings.data_dir / "dagster" / "history" / "runs" / "index.db-wal"
        with sqlite_held_open(instance, "a-run"):
            assert dg.materialize([something], instance=instance).success
            assert index.stat().st_size > 0
        assert dg.materialize([something], instance=instance).success
        assert not index.exists()
        assert instance.get_runs_count() == 2
