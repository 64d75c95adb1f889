"""Dagster's instance as the command line uses it: made once by any number of processes, kept when versions change."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from pipelines.errors import WrongUseError
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


def run_something(settings):
    @dg.asset
    def something(): ...

    with dagster_instance(settings) as instance:
        assert dg.materialize([something], instance=instance).success
        return instance.get_runs_count()


@pytest.mark.fault("a database of Dagster is damaged", "any run", "exact")
@pytest.mark.parametrize("name", ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"])
def test_a_damaged_database_is_set_aside_and_begun_anew(settings, name):
    file = settings.data_dir / "dagster" / name
    assert run_something(settings) == 1
    whole = file.read_bytes()

    for damaged in (b"\xffnot a database" * 999, whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        run_something(settings)
        assert file.with_name(f"{file.name}.damaged").read_bytes() == damaged


@pytest.mark.fault("dagster.yaml is not understood", "any run", "refused with a sentence")
@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"just text", b"storage: 5", b"nosuch: 1"])
def test_a_dagster_yaml_that_is_not_understood_is_named(settings, content):
    home = settings.data_dir / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_bytes(content)

    with pytest.raises(WrongUseError, match=r"dagster\.yaml is not understood .* move it away"):
        run_something(settings)


@pytest.mark.parametrize("name", ["100 %", "it's", 'a "b"', "a b#c", "ä☃"])
def test_the_folder_may_have_almost_any_name(settings, tmp_path, name):
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / name})

    assert run_something(elsewhere) == 1
    assert (tmp_path / name / "dagster" / "history" / "runs.db").exists()


@pytest.mark.fault(
    "the data directory's path has %20 in it, which Dagster reads as a space", "any run", "refused with a sentence"
)
@pytest.mark.parametrize("name", ["a%20b", "what?"])
def test_a_folder_that_dagster_would_look_for_elsewhere_is_refused(settings, tmp_path, name):
    with pytest.raises(WrongUseError, match="set DAGSTER_HOME to another folder"):
        run_something(settings.model_copy(update={"data_dir": tmp_path / name}))

    assert list(tmp_path.iterdir()) == []
