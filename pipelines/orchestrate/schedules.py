"""The jobs that a person or a clock starts, and the clock's.

Every run of them catches up alone: it covers the months from the oldest gap of the ledger to the current one, so an
outage of any length needs no backfill. The tick only finds that range; what is pulled the run decides by the ledger.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb

from pipelines.errors import PipelineError, WrongUseError
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.histories import HISTORIES as ENTRIES
from pipelines.extract.windows import Window
from pipelines.land import landed_assets
from pipelines.land.landed_assets import HISTORIES, RECONCILIATIONS, PullConfig
from pipelines.land.retries import RETRY_TAG
from pipelines.land.warehouse import open_warehouse
from pipelines.publish.snapshot import open_published
from pipelines.settings import Settings

SYNC_JOB = "sync"
RECONCILE_JOB = "reconcile"
DAILY_RECONCILE_DAYS = 90
# A whole outage of the API is waited out; then it is time to wake somebody.
_RETRY_AFTER_MINUTES = "5 15 45"
# A tick may not take long, and a read-only look at the published ledger costs no wait at all.
_WAREHOUSE_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class _Plan:
    """A job: whether it reconciles, how many days back (None: all history), and when the clock starts it, if ever."""

    name: str
    description: str
    reconciles: bool
    days: int | None = None
    cron_setting: str | None = None
    is_on: bool = True


_PLANS = (
    _Plan(SYNC_JOB, "Pulls what the ledger lacks, models, checks and publishes.", reconciles=False),
    _Plan(
        RECONCILE_JOB,
        "Pulls what the ledger lacks, compares all of it with the API, models, checks and publishes.",
        reconciles=True,
    ),
    _Plan(
        "daily_sync",
        f"What finance finds in the morning: a sync, and the last {DAILY_RECONCILE_DAYS} days compared with the API.",
        reconciles=True,
        days=DAILY_RECONCILE_DAYS,
        cron_setting="daily_sync_cron",
    ),
    _Plan(
        "hourly_sync",
        "A sync without comparison, for those who want the day's failures today.",
        reconciles=False,
        cron_setting="hourly_sync_cron",
        is_on=False,
    ),
    _Plan(
        "monthly_reconcile",
        "A sync, and all history compared with the API.",
        reconciles=True,
        cron_setting="monthly_reconcile_cron",
    ),
)


def sync_jobs(assets: Sequence[dg.AssetKey], prefix: str = "") -> dict[str, Any]:
    """The jobs by their names without `prefix`, over just these assets: a project around ours has others."""
    reconciliations = _reconciliations(assets)
    without = [key for key in assets if key != reconciliations]
    return {
        plan.name: dg.define_asset_job(
            prefix + plan.name,
            selection=dg.AssetSelection.assets(*(assets if plan.reconciles else without)),
            description=plan.description,
            config=_run_config(plan, reconciliations),
            tags={RETRY_TAG: _RETRY_AFTER_MINUTES} if plan.cron_setting else None,
            executor_def=dg.in_process_executor,
        )
        for plan in _PLANS
    }


def sync_schedules(
    settings: Settings, assets: Sequence[dg.AssetKey], jobs: dict[str, Any]
) -> list[dg.ScheduleDefinition]:
    """A schedule for each job that has its time. Raises WrongUseError naming the variable of a time that is none."""
    reconciliations = _reconciliations(assets)
    return [
        _schedule(settings, plan, jobs[plan.name], _run_config(plan, reconciliations))
        for plan in _PLANS
        if plan.cron_setting
    ]


def _schedule(settings: Settings, plan: _Plan, job: Any, run_config: dict[str, Any]) -> dg.ScheduleDefinition:  # noqa: ANN401 - Dagster keeps the type of unresolved jobs to itself
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        first, last = months_to_cover(settings, context.instance.get_materialized_partitions(HISTORIES))
        return dg.RunRequest(
            run_config=run_config,
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
        )

    cron = getattr(settings, str(plan.cron_setting))
    try:
        return dg.ScheduleDefinition(
            name=job.name,
            job=job,
            cron_schedule=cron,
            execution_timezone=settings.reporting_timezone,
            execution_fn=tick,
            description=plan.description,
            default_status=dg.DefaultScheduleStatus.RUNNING if plan.is_on else dg.DefaultScheduleStatus.STOPPED,
        )
    except dg.DagsterInvalidDefinitionError:
        raise not_a_time(str(plan.cron_setting), cron) from None


def not_a_time(setting: str, cron: str) -> WrongUseError:
    """What to say of a setting whose time Dagster does not take."""
    return WrongUseError(
        f"NEXUDUS_{setting.upper()}: {cron!r} is not a valid cron expression; write five fields, for instance "
        "'30 6 * * *' for half past six. Fix it in the environment or in .env."
    )


def months_to_cover(settings: Settings, shown: Collection[str]) -> tuple[str, str]:
    """First and last month that a run should cover, by the warehouse's ledger; never by the API, and without waiting.

    `shown` are the months that Dagster shows as made.

    While a writer holds the warehouse the published copy of its ledger serves, which lacks at most what was read since.
    Where neither can be read it is all of history: the run finds out what is wrong, and is the one to fail.
    """
    try:
        with open_warehouse(settings, read_only=True, wait_seconds=_WAREHOUSE_WAIT_SECONDS) as connection:
            return landed_assets.months_to_cover(settings, connection, PullConfig(), shown=shown)
    except (PipelineError, duckdb.Error):
        return landed_assets.months_to_cover_by(settings, _published_ledger(settings))


def _published_ledger(settings: Settings) -> Iterable[Window]:
    try:
        with open_published(settings.analytics_path) as connection:
            rows = connection.execute(
                "select from_at, to_at from sync_windows where entity = $entity and axis = $axis",
                {"entity": ENTRIES.name, "axis": UPDATED_ON.name},
            ).fetchall()
    except (PipelineError, duckdb.Error):
        return []
    return [Window(start, end) for start, end in rows]


def _reconciliations(assets: Iterable[dg.AssetKey]) -> dg.AssetKey:
    return next(key for key in assets if key.path[-2:] == RECONCILIATIONS.path)


def _run_config(plan: _Plan, reconciliations: dg.AssetKey) -> dict[str, Any]:
    if plan.days is None:
        return {}
    return {"ops": {reconciliations.to_python_identifier(): {"config": {"days": plan.days}}}}
