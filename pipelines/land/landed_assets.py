"""The landing stage as Dagster assets. Thin: reads the run's partitions and config, calls `pull`, reports metadata."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
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
from pipelines.foundation.telling import Tell
from pipelines.land.first_month import first_month, remember_first_month
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


@dataclass(frozen=True)
class Landed:
    """What a landing step did: its report, the data requests it took, and the entries that the warehouse then held."""

    report: PullReport
    data_request_count: int
    row_count: int


@dataclass(frozen=True)
class Waiting:
    """A request waits for the pace, or because the API asked for it."""

    seconds: float
    reason: str

    def __str__(self) -> str:
        """For a person."""
        return f"Waiting {self.seconds:.0f} s: {self.reason}"


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
    """Months of UpdatedOn (UTC), the current one included. The first stands for all of history before it, too."""
    return dg.MonthlyPartitionsDefinition(start_date=first_month(settings).isoformat(), end_offset=1)


def history_until(settings: Settings, now: datetime) -> Window:
    """All that may be read now; what is younger than the settling time could still get company in its minute."""
    start = datetime.combine(settings.history_start, time(), UTC)
    return Window(start, max(start, floor_minute(now - timedelta(minutes=settings.settle_minutes))))


def months_to_cover(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    config: PullConfig,
    *,
    shown: Collection[str],
    clock: Clock = utc_now,
) -> tuple[str, str]:
    """First and last partition key of what a run has to cover, by a connection that need not write; asks no API.

    That is what it has to pull, and the closed months that are not among the partitions `shown` by Dagster as made:
    it may be another instance than the one that was there when they were pulled.
    """
    history = history_until(settings, clock())
    closed = closed_windows(connection, ENTRIES, UPDATED_ON)
    lacking = _windows(connection, settings, history, config)
    return _months_of(settings, [*lacking, *_not_shown(settings, closed, shown)], history)


def find_first_month(
    settings: Settings, connection: duckdb.DuckDBPyConnection, client: NexudusClient, clock: Clock = utc_now
) -> None:
    """Close the empty years before the first entry, if that is not done, and keep its month for the partitions."""
    _close_empty_years(_pull(settings, connection, client, BEFORE_FIRST_ENTRY), settings, clock)


def _close_empty_years(pull: Pull, settings: Settings, clock: Clock) -> None:
    found = close_before_first_entry(pull, history_until(settings, clock()))
    if found:
        remember_first_month(settings, found)


def _not_shown(settings: Settings, closed: Iterable[Window], shown: Collection[str]) -> list[Window]:
    """The first minutes of closed months that are no partition yet."""
    keys = [key for key in months(settings).get_partition_keys() if key not in shown]
    starts = [datetime.fromisoformat(key).replace(tzinfo=UTC) for key in keys]
    closed = list(closed)
    return [Window(start, start + MINUTE) for start in starts if any(start in window for window in closed)]


def months_to_cover_by(settings: Settings, closed: Iterable[Window], clock: Clock = utc_now) -> tuple[str, str]:
    """The same where only the closed minutes are known; all of history where none are."""
    history = history_until(settings, clock())
    return _months_of(settings, windows_to_pull(history, closed, lookback_of(settings)), history)


def _months_of(settings: Settings, windows: Iterable[Window], history: Window) -> tuple[str, str]:
    windows = list(windows)
    first = max(_start(settings), min((window.start for window in windows), default=history.end))
    last = max((window.end - MINUTE for window in windows), default=history.end)
    return f"{first:%Y-%m-01}", f"{last:%Y-%m-01}"


def landed_assets(
    settings: Settings, tell: Tell, clock: Clock = utc_now, *, pool: str | None = None
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The API's endpoint as Dagster sees it, and the tables it lands in.

    `tell` is given the `PullReport` before the first answer and after each, then a `Landed`; `pool` is the concurrency
    pool of the steps that write the warehouse.
    """
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
        partitions = _partitions(context, settings)
        with (
            retried_by_tag(context),
            NexudusClient(settings, on_wait=lambda seconds, reason: tell(Waiting(seconds, reason))) as client,
            open_warehouse(settings, limits=LANDING) as connection,
        ):
            history = history_until(settings, clock())
            pull = _pull(settings, connection, client, context.run.run_id, tell)
            with recorded_run(pull, client, "sync", clock):
                if history.start in partitions:
                    _close_empty_years(pull, settings, clock)
                pull.read(UPDATED_ON, _windows(connection, settings, history, config, partitions))
                if history.end in partitions:
                    for axis in ENTRIES.further_axes:
                        pull.read(
                            axis, windows_to_refresh(connection, ENTRIES, axis, history.end, lookback_of(settings))
                        )
            state = read_status(connection, ENTRIES, history.start, None, clock())
            landed = _landed(connection, client, pull.report)
            tell(landed)
            return dg.MaterializeResult(
                metadata=_metadata(client, landed) | _coverage(state),
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
            NexudusClient(settings, on_wait=lambda seconds, reason: tell(Waiting(seconds, reason))) as client,
            open_warehouse(settings, limits=LANDING) as connection,
        ):
            pull = _pull(settings, connection, client, context.run.run_id, tell)

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
            landed = _landed(connection, client, pull.report)
            tell(landed)
            return dg.MaterializeResult(
                metadata=_metadata(client, landed) | {"rows_deleted": pull.report.deleted_count}
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


def _partitions(context: dg.AssetExecutionContext, settings: Settings) -> Window:
    """The months of the run, the first with all before it; of a run that was started without any, all of history."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return _EVER
    asked = context.partition_time_window
    start = asked.start.astimezone(UTC)
    return Window(start if start > _start(settings) else _EVER.start, asked.end.astimezone(UTC))


def _start(settings: Settings) -> datetime:
    """When the first partition begins."""
    return datetime.combine(first_month(settings), time(), UTC)


def _windows(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    history: Window,
    config: PullConfig,
    partitions: Window = _EVER,
) -> list[Window]:
    """What the ledger lacks in these partitions and the config allows; and what the config forces, wherever it is."""
    planned = planned_windows(
        connection,
        ENTRIES,
        UPDATED_ON,
        history,
        lookback=lookback_of(settings),
        page_size=settings.page_size,
    )
    allowed = [window.meet(config.window()).meet(partitions) for window in planned]
    forced = [window.meet(history) for window in config.repull()]
    return merge([*allowed, *forced])


def _landed(connection: duckdb.DuckDBPyConnection, client: NexudusClient, report: PullReport) -> Landed:
    ((row_count,),) = connection.execute(f"select count(*) from {ENTRIES.rows}").fetchall()  # noqa: S608
    return Landed(report, client.data_request_count, row_count)


def _metadata(client: NexudusClient, landed: Landed) -> dict[str, Any]:
    report = landed.report
    return {
        "dagster/row_count": landed.row_count,
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
