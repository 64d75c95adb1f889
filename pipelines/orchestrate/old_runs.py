"""Deletes old runs from Dagster's instance: `python -m pipelines.orchestrate.old_runs --days 180`.

The figures need none of them: what was pulled is in the warehouse's ledger. Only the run that last made a month is
kept, for without it Dagster's pages would show that month as missing.
"""

import argparse
import sys
from datetime import datetime, timedelta

import dagster as dg

from pipelines.land.landed_assets import HISTORIES
from pipelines.orchestrate.dagster_internals import delete_run_files, runs_that_made_partitions
from pipelines.orchestrate.in_process import dagster_instance
from pipelines.settings import load_settings, utc_now

_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def delete_old_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete the finished runs created before an instant, with their logs; how many there were."""
    kept = set(runs_that_made_partitions(instance, HISTORIES))
    filters = dg.RunsFilter(created_before=before, statuses=list(_FINISHED))
    old = {record.dagster_run.run_id for record in instance.get_run_records(filters)} - kept
    for run_id in old:
        instance.delete_run(run_id)
        delete_run_files(instance, run_id)
    return len(old)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Delete old runs from Dagster's instance.")
    parser.add_argument("--days", type=int, default=180, help="how long runs are kept (180)")
    days = parser.parse_args().days
    with dagster_instance(load_settings()) as instance:
        count = delete_old_runs(instance, utc_now() - timedelta(days=days))
    sys.stdout.write(f"{count} runs older than {days} days were deleted.\n")


if __name__ == "__main__":
    main()
