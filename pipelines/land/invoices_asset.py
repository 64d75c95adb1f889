"""The invoices themselves as Dagster sees them, where they are read; without them a sync goes on with the entries."""

import dagster as dg

from pipelines.extract.client import NexudusClient
from pipelines.extract.histories import HISTORIES
from pipelines.extract.invoices import INVOICES
from pipelines.foundation.telling import Tell
from pipelines.land.catching_up import catch_up, read_newest
from pipelines.land.erased_people import Withhold, withhold_all
from pipelines.land.invoice_access import invoice_state, read_if_allowed
from pipelines.land.landed import Waiting, landed_by
from pipelines.land.pull import Pull
from pipelines.land.pull_settings import history_until, lookback_of, pull_for
from pipelines.land.reconcile import reconcile_covered
from pipelines.land.retries import retried_by_tag
from pipelines.land.runs import recorded_run
from pipelines.land.warehouse import LANDING, open_warehouse
from pipelines.settings import Clock, Settings, utc_now

INVOICES_KEY = dg.AssetKey(["land", INVOICES.table])


def invoices_asset(
    settings: Settings,
    tell: Tell,
    clock: Clock = utc_now,
    *,
    pool: str | None = None,
    withhold: Withhold = withhold_all,
) -> dg.AssetsDefinition:
    """The table of invoices as Dagster sees it. `tell`, `pool` and `withhold` as for the entries."""

    @dg.asset(
        key=INVOICES_KEY,
        deps=[dg.AssetKey(["land", HISTORIES.table])],
        group_name="land",
        kinds={"duckdb"},
        pool=pool,
        description="One row per invoice, its newest known content, without secrets and bank details. Empty, or as it "
        "was, where NEXUDUS_INVOICES or a missing role forbids to read them.",
    )
    def coworker_invoices(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with (
            retried_by_tag(context),
            NexudusClient(settings, on_wait=lambda seconds, reason: tell(Waiting(seconds, reason))) as client,
            open_warehouse(settings, limits=LANDING) as connection,
        ):
            pull = pull_for(
                settings, connection, client, context.run.run_id, INVOICES, clock=clock, on_step=tell, withhold=withhold
            )

            def read() -> None:
                with recorded_run(pull, client, "sync", clock):
                    catch_up(pull, history_until(settings, clock()), lookback_of(settings))

            if read_if_allowed(settings, connection, read, clock):
                tell(landed_by(pull, client))
            state = invoice_state(connection, settings)
            if state.warning:
                context.log.warning(state.warning)
            return dg.MaterializeResult(metadata={"dagster/row_count": state.row_count, "invoices": state.sentence})

    return coworker_invoices


def reconcile_invoices(
    pull: Pull, client: NexudusClient, settings: Settings, clock: Clock, *, days: int | None, accepted_loss: int
) -> bool:
    """Compare the invoices with the API as the entries are; returns whether they were."""

    def newest() -> None:
        read_newest(pull, history_until(settings, clock()), lookback_of(settings))

    def compare() -> None:
        with recorded_run(pull, client, "reconcile", clock):
            reconcile_covered(pull, newest, days, accepted_loss=accepted_loss)

    return read_if_allowed(settings, pull.connection, compare, clock)
