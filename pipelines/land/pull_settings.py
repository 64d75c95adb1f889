"""How the settings shape what a run reads: up to when, how far back again, in what pages and by how many readers."""

from datetime import UTC, datetime, time, timedelta

import duckdb

from pipelines.extract.client import NexudusClient
from pipelines.extract.entity import Entity
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.windows import Window, floor_minute
from pipelines.land.erased_people import Withhold, withhold_all
from pipelines.land.pull import OnStep, Pull
from pipelines.land.warehouse import warehouse_of
from pipelines.settings import Clock, Settings, utc_now


def history_until(settings: Settings, now: datetime) -> Window:
    """All that may be read now. What is younger than the settling time is not: entries may still arrive in it."""
    start = datetime.combine(settings.history_start, time(), UTC)
    return Window(start, max(start, floor_minute(now - timedelta(minutes=settings.settle_minutes))))


def lookback_of(settings: Settings) -> timedelta:
    """How far back what is closed is looked at again."""
    return timedelta(minutes=settings.lookback_minutes)


def pull_for(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    client: NexudusClient,
    run_id: str,
    entity: Entity,
    *,
    clock: Clock = utc_now,
    on_step: OnStep = lambda _: None,
    withhold: Withhold = withhold_all,
) -> Pull:
    """How a run reads an entity into the open warehouse."""
    return Pull(
        connection,
        EntitySource(client, settings, entity),
        page_size=settings.page_size,
        run_id=run_id,
        settle=timedelta(minutes=settings.settle_minutes),
        workers=settings.concurrent_requests,
        on_step=on_step,
        writing_alone=warehouse_of(settings).writing_alone,
        clock=clock,
        withhold=withhold,
    )
