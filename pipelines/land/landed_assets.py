"""The landing stage as Dagster assets. Thin: reads the run's partitions and config, calls `pull`, reports metadata."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, time
from functools import partial
from typing import Any

import dagster as dg
import duckdb

from pipelines.errors import WrongUseError
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.histories import HISTORIES as ENTRIES
from pipelines.extract.invoices import INVOICES
from pipelines.extract.windows import MINUTE, Window, floor_minute, merge
from pipelines.foundation.telling import Tell
from pipelines.land.account import require_address
from pipelines.land.catching_up import read_further_axes
from pipelines.land.erased_people import Withhold, withhold_all
from pipelines.land.erasing import let_go
from pipelines.land.first_month import first_month, remember_first_month
from pipelines.land.freshness import freshness_spec, judge_freshness, newest_closed_minute
from pipelines.land.invoices_asset import INVOICES_KEY, invoices_asset, reconcile_invoices
from pipelines.land.landed import Waiting, landed_by, metadata_of
from pipelines.land.ledger import closed_windows, windows_to_pull
from pipelines.land.pull import (
    BEFORE_FIRST_ENTRY,
    Pull,
    close_before_first_entry,
    planned_windows,
)
from pipelines.land.pull_settings import history_until, lookback_of, pull_for
from pipelines.land.reconcile import reconcile_covered
from pipelines.land.retries import retried_by_tag
from pipelines.land.runs import recorded_run
from pipelines.land.set_aside import require_pages_read
from pipelines.land.status import Status, read_status
from pipelines.land.total_count import land_missed
from pipelines.land.warehouse import LANDING, open_warehouse
from pipelines.settings import Clock, Settings, utc_now

RECONCILIATIONS = dg.AssetKey(["land", "reconciliations"])
HISTORIES = dg.AssetKey(["land", ENTRIES.table])
_EVER = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
API = dg.AssetKey(["extract", "coworkerinvoicehistories"])


class ReconcileConfig(dg.Config):
    """How far back a comparison goes, all history unless `days` is given; and how large a loss is accepted."""

    days: int | None = None
    accepted_loss: int = 0


class PullConfig(dg.Config):
    """Narrows or forces what a run pulls. Instants are ISO 8601, UTC where no zone is given."""

    since: str | None = None
    until: str | None = None
    repull_from: str | None = None
    repull_to: str | None = None
    new_address: bool = False

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
    _close_empty_years(
        pull_for(settings, connection, client, BEFORE_FIRST_ENTRY, ENTRIES, clock=clock), settings, clock
    )


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
    settings: Settings,
    tell: Tell,
    clock: Clock = utc_now,
    *,
    pool: str | None = None,
    withhold: Withhold = withhold_all,
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The API's endpoint as Dagster sees it, and the tables it lands in.

    `tell` is given the `PullReport` before the first answer and after each, then a `Landed`; `pool` is the concurrency
    pool of the steps that write the warehouse; `withhold` says what stays of the texts of people who were erased.
    """
    pull_of = partial(pull_for, settings, clock=clock, on_step=tell, withhold=withhold)
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
            pull = pull_of(connection, client, context.run.run_id, ENTRIES)
            with pull.writing_alone(connection):
                require_address(connection, settings.base_url, clock(), is_new=config.new_address)
            with recorded_run(pull, client, "sync", clock):
                if history.start in partitions:
                    _close_empty_years(pull, settings, clock)
                pull.read(UPDATED_ON, _windows(connection, settings, history, config, partitions))
                pull.settle_set_aside(history.end)
                if history.end in partitions:
                    read_further_axes(pull, history, lookback_of(settings))
                    land_missed(pull, history)
                require_pages_read(connection, ENTRIES)
            state = read_status(connection, ENTRIES, history.start, None, clock())
            landed = landed_by(pull, client)
            tell(landed)
            return dg.MaterializeResult(
                metadata=metadata_of(client, landed) | _coverage(state),
                check_results=[judge_freshness(newest_closed_minute(connection, ENTRIES), clock())],
            )

    @dg.asset(
        key=RECONCILIATIONS,
        deps=[coworker_invoice_histories, INVOICES_KEY],
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
            pull = pull_of(connection, client, context.run.run_id, ENTRIES)

            def read_newest() -> None:
                history = history_until(settings, clock())
                pull.read(UPDATED_ON, _windows(connection, settings, history, PullConfig()))

            with pull.writing_alone(connection):
                require_address(connection, settings.base_url, clock())
            with recorded_run(pull, client, "reconcile", clock):
                reconcile_covered(pull, read_newest, config.days, accepted_loss=config.accepted_loss)
            landed = landed_by(pull, client)
            tell(landed)
            with NexudusClient(settings) as another:  # what it counts is the invoices' alone
                invoices = pull_of(connection, another, context.run.run_id, INVOICES)
                if reconcile_invoices(
                    invoices, another, settings, clock, days=config.days, accepted_loss=config.accepted_loss
                ):
                    tell(landed_by(invoices, another))
        let_go_count = let_go(settings, withhold, clock())
        metadata = metadata_of(client, landed) | {"rows_deleted": pull.report.deleted_count}
        return dg.MaterializeResult(metadata=metadata | {"records_without_people_now": let_go_count})

    invoices = invoices_asset(settings, tell, clock, pool=pool, withhold=withhold)
    return [api, coworker_invoice_histories, invoices, reconciliations]


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


def _coverage(state: Status) -> dict[str, Any]:
    """What is covered, how late entries come, and warnings."""
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
