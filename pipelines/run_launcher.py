"""Dagster's default run launcher, able to notice that a run has died with the machine or the service it ran under.

The stock one starts a run as a child of the code server and hears of a crash from that server. When the server itself
is killed nobody tells, the run stays "started" for ever, and its place in the concurrency pool stays taken. With this
one Dagster's run monitoring fails such a run, frees its place, and retries it. `dagster.yaml` of one machine names it;
launchers for containers know the health of their runs by themselves.
"""

from typing import TYPE_CHECKING, Any

from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import ConfigurableClassData, deserialize_value

if TYPE_CHECKING:
    from dagster import DagsterRun


class WatchfulRunLauncher(DefaultRunLauncher):
    """`DefaultRunLauncher` with a health check: it asks the code server that started a run whether it is at it."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "WatchfulRunLauncher":  # noqa: ANN401 - as Dagster has it
        """What dagster.yaml asks for."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Tells run monitoring to ask."""
        return True

    def check_run_worker_health(self, run: "DagsterRun") -> CheckRunHealthResult:
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
