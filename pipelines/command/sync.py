"""A sync or a reconciliation from the command line: the assets that Dagster shows, run here and recorded there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from pipelines.definitions import build_definitions
from pipelines.errors import BrokenPromiseError
from pipelines.extract.client import NexudusClient
from pipelines.land.landed_assets import HISTORIES, RECONCILIATIONS, PullConfig, ReconcileConfig, months_to_pull
from pipelines.land.pull import OnStep
from pipelines.orchestrate.in_process import ChecksFailedError, run_job
from pipelines.orchestrate.schedules import RECONCILE_JOB, SYNC_JOB
from pipelines.publish.published_assets import ANALYTICS
from pipelines.settings import Settings

_ROW_COUNTS = ("rows_new", "rows_changed", "rows_same", "rows_rejected")
_OFFENDERS = "first_offending_rows"


@dataclass(frozen=True)
class SyncReport:
    """What a sync did, by the metadata of its assets."""

    run_id: str
    pulled: str
    rows_new: int
    rows_changed: int
    rows_same: int
    rows_rejected: int
    data_requests: int
    row_count: int
    path: str
    rows_deleted: int | None = None

    def __str__(self) -> str:
        """Two lines for a person."""
        deleted = "" if self.rows_deleted is None else f"{self.rows_deleted} gone, "
        return (
            f"Pulled {self.pulled}: {self.rows_new} new, {self.rows_changed} changed, {self.rows_same} unchanged, "
            f"{deleted}{self.rows_rejected} rejected, in {self.data_requests} requests.\n"
            f"Published {self.path}; the warehouse holds {self.row_count} history entries."
        )


def run_sync(settings: Settings, on_step: OnStep, config: PullConfig, *, verbose: bool = False) -> SyncReport:
    """Pull what the ledger lacks (narrowed or forced by `config`), model, check and publish.

    Raises BrokenPromiseError, naming the checks, when a check failed and nothing was published; and whatever the
    client, the reader or the warehouse raise.
    """
    return _run(settings, on_step, SYNC_JOB, {HISTORIES: config}, verbose=verbose)


def run_reconcile(settings: Settings, on_step: OnStep, config: ReconcileConfig, *, verbose: bool = False) -> SyncReport:
    """What `run_sync` does, and between pulling and modelling compare all of it with the API by count.

    Raises what `run_sync` raises, and LossRefusedError when too much seems gone.
    """
    return _run(settings, on_step, RECONCILE_JOB, {HISTORIES: PullConfig(), RECONCILIATIONS: config}, verbose=verbose)


def _run(
    settings: Settings, on_step: OnStep, job_name: str, configs: Mapping[dg.AssetKey, dg.Config], *, verbose: bool
) -> SyncReport:
    pull_config = configs[HISTORIES]
    assert isinstance(pull_config, PullConfig)  # noqa: S101 - every job begins with a pull
    with NexudusClient(settings) as client:
        client.log_in()  # before the warehouse is made: who cannot log in leaves nothing behind
        months = months_to_pull(settings, client, pull_config)
        asked_before = client.data_request_count
    try:
        result = run_job(
            settings,
            # A command that is killed could not give its place in the pool back; the lock on the file does for two.
            build_definitions(settings, on_step=on_step, pool=None),
            job_name,
            months=months,
            ops={key.to_python_identifier(): {"config": config.model_dump()} for key, config in configs.items()},
            verbose=verbose,
        )
    except ChecksFailedError as error:
        raise BrokenPromiseError(_said(error.checks)) from None
    landed = [_metadata(result, key) for key in configs]
    return SyncReport(
        run_id=result.run_id,
        path=_metadata(result, ANALYTICS)["path"],
        pulled=landed[0]["pulled"],
        row_count=landed[-1]["dagster/row_count"],
        data_requests=asked_before + sum(metadata["data_requests"] for metadata in landed),
        rows_deleted=landed[-1].get("rows_deleted"),
        **{name: sum(metadata[name] for metadata in landed) for name in _ROW_COUNTS},
    )


def _metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    materialization = next(
        event.materialization for event in reversed(result.get_asset_materialization_events()) if event.asset_key == key
    )
    return {name: value.value for name, value in materialization.metadata.items()}


def _said(broken: Iterable[dg.AssetCheckEvaluation]) -> str:
    lines = [
        f"  {check.asset_key.to_user_string()}: {check.check_name}"
        + (f", first rows {check.metadata[_OFFENDERS].value}" if _OFFENDERS in check.metadata else "")
        for check in broken
    ]
    return "\n".join(
        [
            "Nothing was published, the last good file stays: these checks failed. Look at the rows, then sync again.",
            *lines,
        ]
    )
