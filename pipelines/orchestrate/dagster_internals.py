"""Every use of Dagster beyond its documented interface, tried with the versions that pyproject.toml allows.

Why each is needed stands with it. `dagster.yaml` of one machine names `WatchfulRunLauncher`.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import ConfigurableClassData, deserialize_value

__all__ = ["DagsterSqliteStorage"]  # what a dagster.yaml of version 0.1.0 comes to, by pipelines/dagster_storage.py

CODE_LOCATION = "nexudus-billing"
"""The code location's name in workspace.yaml and in pyproject.toml's `tool.dg`."""


class WatchfulRunLauncher(DefaultRunLauncher):
    """Dagster's default run launcher, with the health check that its run monitoring asks for.

    The default one starts a run as a child of the code server and hears of a crash from that server only. Run
    monitoring looks after a started run only where the launcher has a health check, and in Dagster 1.13 only those for
    containers have one: after a power cut the run would stay "started", and its place in the pool taken, for a day.
    """

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "WatchfulRunLauncher":  # noqa: ANN401 - as Dagster has it
        """What dagster.yaml asks for."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Tells run monitoring to ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process can still be at work. A run that no server started (the command line) is left."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "started by no code server")
        try:
            answer = deserialize_value(client.get_current_runs(), GetCurrentRunsResult)
        except Exception:  # noqa: BLE001 - whatever keeps the server from answering, its runs died with it
            return CheckRunHealthResult(WorkerStatus.FAILED, "the code server that ran it is gone")
        if run.run_id in answer.current_runs:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")


def record_under_code_location(instance: dg.DagsterInstance, job_name: str) -> None:
    """Have the instance record runs of this process as runs of the code location's job.

    `execute_in_process` names no code location, and Dagster's timeline and job pages show only runs that have one.
    """
    target = LoadableTargetOrigin(module_name="pipelines.definitions", attribute="definitions")
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, CODE_LOCATION)
    origin = RemoteRepositoryOrigin(location, "__repository__").get_job_origin(job_name)
    create_run = partial(instance.create_run_for_job, remote_job_origin=origin)
    setattr(instance, "create_run_for_job", create_run)  # noqa: B010 - a method of one instance is replaced


@contextmanager
def sqlite_held_open(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """While this lasts, SQLite's files of the instance and of the run stay open.

    Dagster opens and closes one for each event, and the last connection to close writes the journal back, with ten
    waits for the disk. While this one stays open, none of Dagster's is the last.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        yield
        return
    index, runs = Path(storage.path_for_shard("index")), Path(storage.path_for_shard(run_id))
    with ExitStack() as stack:
        for file in (index, runs, index.parents[1] / "runs.db"):
            connection = stack.enter_context(closing(sqlite3.connect(file)))
            connection.execute("pragma journal_mode = wal").fetchall()
            connection.execute("select count(*) from sqlite_master").fetchall()
        yield


def with_op_name(asset: dg.AssetsDefinition, name: str) -> dg.AssetsDefinition:
    """The asset, made by an op of another name. Ops are named over a whole code location, and no public way renames."""
    op = asset.op.with_replaced_properties(name=name)
    return dg.AssetsDefinition.dagster_internal_init(**asset.get_attributes_dict() | {"node_def": op})


def runs_that_made_partitions(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Iterator[str]:
    """The run behind the newest materialization of each partition."""
    made = dg.DagsterEventType.ASSET_MATERIALIZATION
    newest = instance.event_log_storage.get_latest_storage_id_by_partition(asset, made)
    if newest:
        filters = dg.AssetRecordsFilter(asset, storage_ids=list(newest.values()))
        yield from (record.run_id for record in instance.fetch_materializations(filters, limit=len(newest)).records)


def delete_run_files(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run's logs, and the file that SQLite keeps for its events: `delete_run` takes only the rows."""
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    if isinstance(instance.event_log_storage, SqliteEventLogStorage):
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{instance.event_log_storage.path_for_shard(run_id)}{suffix}").unlink()


def forget_runs(instance: dg.DagsterInstance, words: Collection[str]) -> int:
    """Delete the runs whose events hold any of these words, and what SQLite's files keep of them; how many there were.

    SQLite alone is looked into: with another storage, which is another server's, nothing is done.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return 0
    runs = [record.dagster_run.run_id for record in instance.get_run_records()]
    naming = [run_id for run_id in runs if any(word in str(instance.all_logs(run_id)) for word in words)]
    for run_id in naming:
        instance.delete_run(run_id)
        delete_run_files(instance, run_id)
    index = Path(storage.path_for_shard("index"))
    for file in (index, index.parents[1] / "runs.db") if naming else ():
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    return len(naming)


def failing_checks(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]
) -> dict[dg.AssetCheckKey, dg.AssetCheckEvaluation]:
    """The newest evaluation of each check, where that failed. The public interface tells of a run's checks only."""
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    failed = {key: record.event for key, record in newest.items() if record.status.value == "FAILED"}
    return {
        key: entry.dagster_event.asset_check_evaluation_data
        for key, entry in failed.items()
        if entry and entry.dagster_event
    }
