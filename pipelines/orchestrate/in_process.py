"""Runs a Dagster job here and now, without a server, and records it in Dagster's own instance."""

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.foundation.private_files import make_private_folder
from pipelines.settings import Settings

_PACKAGE = Path(__file__).parents[1]


class ChecksFailedError(Exception):
    """Checks that block did not hold, so the run stopped; `checks` are those."""

    def __init__(self, checks: Sequence[dg.AssetCheckEvaluation]) -> None:
        super().__init__(", ".join(check.check_name for check in checks))
        self.checks = checks


def use_dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's instance: DAGSTER_HOME, else `dagster` in the data directory, made if missing."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.data_dir / "dagster").absolute()
    make_private_folder(home)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_bytes(instance_template().read_bytes())
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def instance_template() -> Path:
    """The dagster.yaml of one machine: in a checkout's `deploy/`, or inside the installed package."""
    checkout = _PACKAGE.parent / "deploy" / "one-machine" / "dagster.yaml"
    return checkout if checkout.exists() else _PACKAGE / "dagster.yaml"


def run_job(
    settings: Settings,
    definitions: dg.Definitions,
    job_name: str,
    *,
    months: tuple[str, str],
    ops: Mapping[str, Any],
    verbose: bool,
) -> dg.ExecuteInProcessResult:
    """Run a job over a range of monthly partitions in this process.

    An error of an asset is raised as it was; ChecksFailedError where a check stopped the run.
    """
    use_dagster_home(settings)
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.get() as instance:
        try:
            return definitions.resolve_job_def(job_name).execute_in_process(
                instance=instance,
                run_config={
                    "ops": dict(ops),
                    "loggers": {"console": {"config": {"log_level": "INFO" if verbose else "CRITICAL"}}},
                },
                run_id=run_id,
                tags={"dagster/asset_partition_range_start": months[0], "dagster/asset_partition_range_end": months[1]},
            )
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
        except dg.DagsterError:
            failed = _failed_checks(instance, run_id)
            if failed:
                raise ChecksFailedError(failed) from None
            raise


def _failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    checks = [entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event]
    return [check for check in checks if not check.passed]
