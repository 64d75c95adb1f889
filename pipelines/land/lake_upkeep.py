"""The upkeep of a lake as Dagster sees it: a job and its nightly schedule, for a warehouse that is one."""

from datetime import timedelta

import dagster as dg

from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

# Before the daily sync, so that it reads few files. Writers wait meanwhile, readers do not.
_CRON = "45 4 * * *"


def upkeep_schedules(settings: Settings, prefix: str = "") -> list[dg.ScheduleDefinition]:
    """The schedule that keeps the lake's files few and its states as old as NEXUDUS_LAKE_KEEP_DAYS; none for a file."""
    warehouse = warehouse_of(settings)
    if not warehouse.needs_upkeep:
        return []

    @dg.op(name=f"{prefix}keep_up_lake")
    def keep_up_lake() -> None:
        with open_warehouse(settings) as connection:
            warehouse.keep_up(connection, timedelta(days=settings.lake_keep_days))

    @dg.job(
        name=f"{prefix}lake_upkeep",
        description="Writes small files of the lake together, without deleted rows, and forgets old states of it.",
        executor_def=dg.in_process_executor,
    )
    def lake_upkeep() -> None:
        keep_up_lake()

    return [
        dg.ScheduleDefinition(
            name=lake_upkeep.name,
            job=lake_upkeep,
            cron_schedule=_CRON,
            execution_timezone=settings.reporting_timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ]
