"""How fresh the data is: by the newest minute that the ledger holds as closed, whenever it was that somebody ran what.

A backfill of an old month closes old minutes, so it cannot make stale data look fresh.
"""

from datetime import datetime, timedelta

import dagster as dg
import duckdb

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.entity import Entity
from pipelines.land.ledger import closed_windows
from pipelines.land.status import STALE_AFTER

CHECK_NAME = "newest_data_is_recent"
# Three daily syncs missed: by then somebody has to do something.
_ALARMING_AFTER = STALE_AFTER + timedelta(hours=48)


def freshness_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check as Dagster lists it. It blocks nothing: old data is still the best there is."""
    return dg.AssetCheckSpec(
        CHECK_NAME,
        asset=asset,
        description=f"The newest minute that was read completely is less than {_hours(STALE_AFTER)} hours old.",
    )


def newest_closed_minute(connection: duckdb.DuckDBPyConnection, entity: Entity) -> datetime | None:
    """The end of what is closed on the UpdatedOn axis; None where nothing is."""
    closed = closed_windows(connection, entity, UPDATED_ON)
    return closed[-1].end if closed else None


def judge_freshness(closed_until: datetime | None, now: datetime) -> dg.AssetCheckResult:
    """A warning when a daily sync was missed, an error when three were."""
    age = now - closed_until if closed_until else None
    return dg.AssetCheckResult(
        check_name=CHECK_NAME,
        passed=age is not None and age < STALE_AFTER,
        severity=dg.AssetCheckSeverity.ERROR if age is None or age >= _ALARMING_AFTER else dg.AssetCheckSeverity.WARN,
        description="Nothing has been pulled yet."
        if closed_until is None or age is None
        else f"Complete until {closed_until:%Y-%m-%d %H:%M} UTC, {_hours(age)} hours ago.",
        metadata={"complete_until": dg.MetadataValue.timestamp(closed_until), "age_hours": _hours(age)}
        if closed_until and age is not None
        else {},
    )


def _hours(age: timedelta) -> float:
    return round(age / timedelta(hours=1), 1)
