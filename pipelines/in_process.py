"""Runs a Dagster job here and now, without a server, and records it in Dagster's own instance."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.land.warehouse import make_private_folder
from pipelines.settings import Settings

_INSTANCE_CONFIG = """\
# Written by nexudus-billing; yours to change.
telemetry:
  enabled: false
"""


def use_dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's instance: DAGSTER_HOME, else `dagster` in the data directory, made if missing."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.data_dir / "dagster").absolute()
    make_private_folder(home)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text(_INSTANCE_CONFIG, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def run_job(
    settings: Settings,
    definitions: dg.Definitions,
    job_name: str,
    *,
    months: tuple[str, str],
    ops: Mapping[str, Any],
    verbose: bool,
) -> dg.ExecuteInProcessResult:
    """Run a job over a range of monthly partitions in this process. An error of an asset is raised as it was."""
    use_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        return definitions.resolve_job_def(job_name).execute_in_process(
            instance=instance,
            run_config={
                "ops": dict(ops),
                "loggers": {"console": {"config": {"log_level": "INFO" if verbose else "CRITICAL"}}},
            },
            tags={"dagster/asset_partition_range_start": months[0], "dagster/asset_partition_range_end": months[1]},
        )
