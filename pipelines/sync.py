"""A sync from the command line: the assets that Dagster shows, run in this process and recorded in its instance."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from pipelines.definitions import build_definitions
from pipelines.errors import BrokenPromiseError
from pipelines.extract.client import NexudusClient
from pipelines.in_process import run_job
from pipelines.land.landed_assets import HISTORIES, PullConfig, months_to_pull
from pipelines.land.pull import OnStep
from pipelines.publish.published_assets import ANALYTICS
from pipelines.schedules import sync_job
from pipelines.settings import Settings

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

    def __str__(self) -> str:
        """Two lines for a person."""
        return (
            f"Pulled {self.pulled}: {self.rows_new} new, {self.rows_changed} changed, {self.rows_same} unchanged, "
            f"{self.rows_rejected} rejected, in {self.data_requests} requests.\n"
            f"Published {self.path}; the warehouse holds {self.row_count} history entries."
        )


def run_sync(settings: Settings, on_step: OnStep, config: PullConfig, *, verbose: bool = False) -> SyncReport:
    """Pull what the ledger lacks (narrowed or forced by `config`), model, check and publish.

    Raises BrokenPromiseError, naming the checks, when a check failed and nothing was published; and whatever the
    client, the reader or the warehouse raise.
    """
    with NexudusClient(settings) as client:
        months = months_to_pull(settings, client, config)
        asked_before = client.data_request_count
    result = run_job(
        settings,
        build_definitions(settings, on_step=on_step),
        sync_job.name,
        months=months,
        ops={HISTORIES.to_python_identifier(): {"config": config.model_dump()}},
        verbose=verbose,
    )
    if not result.success:
        raise BrokenPromiseError(_failed_checks(result.get_asset_check_evaluations()))
    landed = _metadata(result, HISTORIES)
    return SyncReport(
        run_id=result.run_id,
        path=_metadata(result, ANALYTICS)["path"],
        row_count=landed["dagster/row_count"],
        data_requests=landed["data_requests"] + asked_before,
        **{name: landed[name] for name in ("pulled", "rows_new", "rows_changed", "rows_same", "rows_rejected")},
    )


def _metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    materialization = next(
        event.materialization for event in reversed(result.get_asset_materialization_events()) if event.asset_key == key
    )
    return {name: value.value for name, value in materialization.metadata.items()}


def _failed_checks(checks: Iterable[dg.AssetCheckEvaluation]) -> str:
    broken = [check for check in checks if not check.passed]
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
