"""Deletes old runs from Dagster's instance: `python -m pipelines.orchestrate.old_runs --days 180`.

The figures need none of them: what was pulled is in the warehouse's ledger. Only the run that last made a month is
kept, for without it Dagster's pages would show that month as missing.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from pipelines.land.landed_assets import HISTORIES
from pipelines.orchestrate.in_process import use_dagster_home
from pipelines.settings import load_settings, utc_now


def delete_old_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete the finished runs created before an instant, with their logs; how many there were."""
    kept = set(_runs_that_made_a_month(instance))
    filters = dg.RunsFilter(created_before=before, statuses=list(FINISHED_STATUSES))
    old = [record.dagster_run.run_id for record in instance.get_run_records(filters)]
    for run_id in set(old) - kept:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        _remove_file(instance, run_id)
    return len(set(old) - kept)


def _runs_that_made_a_month(instance: dg.DagsterInstance) -> Iterator[str]:
    newest = instance.event_log_storage.get_latest_storage_id_by_partition(
        HISTORIES, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    if newest:
        filters = dg.AssetRecordsFilter(HISTORIES, storage_ids=list(newest.values()))
        yield from (record.run_id for record in instance.fetch_materializations(filters, limit=len(newest)).records)


def _remove_file(instance: dg.DagsterInstance, run_id: str) -> None:
    """SQLite keeps a file a run, which stays when its rows go."""
    path_of = getattr(instance.event_log_storage, "path_for_shard", None)
    if path_of is None:
        return
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path_of(run_id)}{suffix}").unlink()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Delete old runs from Dagster's instance.")
    parser.add_argument("--days", type=int, default=180, help="how long runs are kept (180)")
    days = parser.parse_args().days
    use_dagster_home(load_settings())
    with dg.DagsterInstance.get() as instance:
        count = delete_old_runs(instance, utc_now() - timedelta(days=days))
    sys.stdout.write(f"{count} runs of more than {days} days ago are deleted.\n")


if __name__ == "__main__":
    main()
