"""The landing stage as Dagster assets. Thin: reads the run's partitions and config, calls `pull`, reports metadata."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import dagster as dg
import duckdb

from pipelines.errors import WrongUseError
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES as ENTRIES
from pipelines.extract.windows import MINUTE, Window, floor_minute, merge
from pipelines.land.freshness import freshness_spec, judge_freshness, newest_closed_minute
from pipelines.land.ledger import closed_windows, windows_to_pull
from pipelines.land.pull import (
    BEFORE_FIRST_ENTRY,
    OnStep,
    Pull,
    PullReport,
    close_before_first_entry,
    planned_windows,
)
from pipelines.land.reconcile import reconcile
from pipelines.land.refresh import windows_to_refresh
from pipelines.land.retries import retried_by_tag
from pipelines.land.runs import recorded_run
from pipelines.land.status import Status, read_status
from pipelines.land.warehouse import LANDING, open_warehouse, warehouse_of
from pipelines.settings import Clock, Settings, utc_now

RECONCILIATIONS = dg.AssetKey(["land", "reconciliations"])
HISTORIES = dg.AssetKey(["land", ENTRIES.table])
_EVER = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
API = dg.AssetKey(["extract", "coworkerinvoicehistories"])


class ReconcileConfig(dg.Config):
    """How far back a comparison goes; all history unless `days` is given."""

    days: int | None = None


class PullConfig(dg.Config):
    """Narrows or forces what a run pulls. Instants are ISO 8601, UTC where no zone is given."""

    since: str | None = None
    until: str | None = None
    repull_from: str | None = None
    repull_to: str | None = None

    def window(self) -> Window:
        """The minutes that the run may pull."""
        return Window(_instant(self.since) or _EVER.start, _instant(self.until) or _EVER.end)

    def repull(self) -> list[Window]:
        """What is pulled again whatever the ledger says."""
        start, end = _instant(self.repull_from), _instant(self.repull_to)
        return [Window(start, end)] if start and end else []


def months(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Months of UpdatedOn (UTC), the current one included."""
    return dg.MonthlyPartitionsDefinition(start_date=settings.history_start.replace(day=1).isoformat(), end_offset=1)


def history_until(settings: Settings, now: datetime) -> Window:
    """All that may be read now; what is younger than the settling time could still get company in its minute."""
    start = datetime.combine(settings.history_start, time(), UTC)
    return Window(start, max(start, floor_minute(now - timedelta(minutes=settings.settle_minutes))))


def months_to_pull(
    settings: Settings, client: NexudusClient, config: PullConfig, clock: Clock = utc_now
) -> tuple[str, str]:
    """First and last partition key that a run has to touch. Asks the API only where nothing is closed yet."""
    with open_warehouse(settings, limits=LANDING) as connection:
        history = history_until(settings, clock())
        close_before_first_entry(_pull(settings, connection, client, BEFORE_FIRST_ENTRY), history)
        return _months_of(_windows(connection, settings, history, config), history)


def months_lacking(
    settings: Settings, connection: duckdb.DuckDBPyConnection, clock: Clock = utc_now
) -> tuple[str, str]:
    """First and last partition key of what the warehouse lacks, by a connection that need not write; asks no API."""
    history = history_until(settings, clock())
    return _months_of(_windows(connection, settings, history, PullConfig()), history)


def months_lacking_by(settings: Settings, closed: Iterable[Window], clock: Clock = utc_now) -> tuple[str, str]:
    """The same where only the closed minutes are known; all of history where none are."""
    history = history_until(settings, clock())
    return _months_of(windows_to_pull(history, closed, lookback_of(settings)), history)


def _months_of(windows: Iterable[Window], history: Window) -> tuple[str, str]:
    windows = list(windows)
    first = min((window.start for window in windows), default=history.end)
    last = max((window.end - MINUTE for window in windows), default=history.end)
    return f"{first:%Y-%m-01}", f"{last:%Y-%m-01}"


def landed_assets(
    settings: Settings, on_step: OnStep, clock: Clock = utc_now, *, pool: str | None = None
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The API's endpoint as Dagster sees it, and the tables it lands in. `pool` is the one of those who write."""
    api = dg.AssetSpec(
        API,
        group_name="extract",
        kinds={"api"},
        description="History entries of invoices in the Nexudus API: `GET /api/billing/coworkerinvoicehistories`.",
    )

    @dg.asset(
        key=HISTORIES,
        deps=[api],
        group_name="land",
        kinds={"duckdb"},
        partitions_def=months(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=pool,
        check_specs=[freshness_spec(HISTORIES)],
        description="One row per history entry, its newest known content. A month is a month of UpdatedOn (UTC); "
        "a run pulls what the ledger `land.windows` lacks in its months, so a second one asks almost nothing.",
    )
    def coworker_invoice_histories(context: dg.AssetExecutionContext, config: PullConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it and wants it bare
        asked = context.partition_time_window
        partitions = Window(asked.start.astimezone(UTC), asked.end.astimezone(UTC))
        with (
            retried_by_tag(context),
            NexudusClient(settings) as client,
            open_warehouse(settings, limits=LANDING) as connection,
        ):
            history = history_until(settings, clock())
            pull = _pull(settings, connection, client, context.run.run_id, on_step)
            with recorded_run(pull, client, "sync", clock):
                if history.start in partitions:
                    close_before_first_entry(pull, history)
                windows = [w.meet(partitions) for w in _windows(connection, settings, history, config)]
                pull.read(UPDATED_ON, [window for window in windows if not window.is_empty])
                if history.end in partitions:
                    for axis in ENTRIES.further_axes:
                        pull.read(
                            axis, windows_to_refresh(connection, ENTRIES, axis, history.end, lookback_of(settings))
                        )
            state = read_status(connection, ENTRIES, history.start, None, clock())
            return dg.MaterializeResult(
                metadata=_metadata(connection, client, pull.report) | _coverage(state),
                check_results=[judge_freshness(newest_closed_minute(connection, ENTRIES), clock())],
            )

    @dg.asset(
        key=RECONCILIATIONS,
        deps=[coworker_invoice_histories],
        group_name="land",
        kinds={"duckdb"},
        pool=pool,
        description="One row per comparison with the API, by count: finds deletions, misses and late stamps, "
        "lands what was missed, and marks what is gone.",
    )
    def reconciliations(context: dg.AssetExecutionContext, config: ReconcileConfig) -> dg.MaterializeResult[None]:
        with (
            retried_by_tag(context),
            NexudusClient(settings) as client,
            open_warehouse(settings, limits=LANDING) as connection,
        ):
            pull = _pull(settings, connection, client, context.run.run_id, on_step)

            def read_newest() -> None:
                history = history_until(settings, clock())
                pull.read(UPDATED_ON, _windows(connection, settings, history, PullConfig()))

            with recorded_run(pull, client, "reconcile", clock):
                read_newest()
                closed = closed_windows(connection, ENTRIES, UPDATED_ON)
                if closed:  # from end to end: a minute left open in between hides nothing before it
                    covered = Window(closed[0].start, closed[-1].end)
                    start = covered.end - timedelta(days=config.days) if config.days else covered.start
                    reconcile(pull, Window(max(start, covered.start), covered.end), read_newest)
            return dg.MaterializeResult(
                metadata=_metadata(connection, client, pull.report) | {"rows_deleted": pull.report.deleted_count}
            )

    return [api, coworker_invoice_histories, reconciliations]


def lookback_of(settings: Settings) -> timedelta:
    """How far back what is closed is looked at again."""
    return timedelta(minutes=settings.lookback_minutes)


def _pull(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    client: NexudusClient,
    run_id: str,
    on_step: OnStep = lambda _: None,
) -> Pull:
    return Pull(
        connection,
        EntitySource(client, settings, ENTRIES),
        page_size=settings.page_size,
        run_id=run_id,
        settle=timedelta(minutes=settings.settle_minutes),
        workers=settings.concurrent_requests,
        on_step=on_step,
        writing_alone=warehouse_of(settings).writing_alone,
    )


def _windows(
    connection: duckdb.DuckDBPyConnection, settings: Settings, history: Window, config: PullConfig
) -> list[Window]:
    """What the ledger lacks and the config allows, and what the config forces."""
    planned = planned_windows(
        connection,
        ENTRIES,
        UPDATED_ON,
        history,
        lookback=lookback_of(settings),
        page_size=settings.page_size,
    )
    allowed = [window.meet(config.window()) for window in planned]
    return merge([*allowed, *(window.meet(history) for window in config.repull())])


def _metadata(connection: duckdb.DuckDBPyConnection, client: NexudusClient, report: PullReport) -> dict[str, Any]:
    count = connection.execute(f"select count(*) from {ENTRIES.rows}").fetchone() or (0,)  # noqa: S608
    return {
        "dagster/row_count": int(count[0]),
        "pulled": report.pulled or "nothing was missing",
        "rows_new": report.rows.new,
        "rows_changed": report.rows.changed,
        "rows_same": report.rows.same,
        "rows_rejected": report.rows.rejected,
        "requests": client.request_count,
        "data_requests": client.data_request_count,
        "retries": client.retry_count,
        "waited_seconds": round(client.waited_seconds, 1),
        "open_minutes": ", ".join(f"{minute:%Y-%m-%dT%H:%M}" for minute in report.open_minutes) or "none",
    }


def _coverage(state: Status) -> dict[str, Any]:
    """What is covered, how late entries come, and what deserves a look."""
    shown = {
        "covered_from": state.covered_from,
        "covered_until": state.covered_until,
        "newest_row_at": state.newest_row_at,
    }
    return {name: dg.MetadataValue.timestamp(at) for name, at in shown.items() if at} | {
        "gaps": "\n".join(f"{start:%Y-%m-%dT%H:%M} to {end:%Y-%m-%dT%H:%M}" for start, end in state.gaps) or "none",
        "median_lateness_minutes": state.median_lateness_minutes,
        "greatest_lateness_minutes": state.greatest_lateness_minutes,
        "deleted_row_count": state.deleted_count,
        "rejected_record_count": state.rejected_count,
    }


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUseError(f"{text!r} is not a date: write it as 2026-01-31 or 2026-01-31T12:00.") from None
    return floor_minute(instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC))
