"""Writing to Nexudus in Dagster: a job of its own, and an asset of the sync only if a setting says so."""

import dagster as dg

from pipelines.errors import WrongUseError
from pipelines.publish.published_assets import ANALYTICS
from pipelines.record.delivery import Delivery
from pipelines.record.escalations import DEFAULT_LIMIT, find_due, send_due
from pipelines.record.states import State
from pipelines.settings import Settings

OUTBOX = dg.AssetKey(["record", "outbox"])
ESCALATIONS = dg.AssetKey(["record", "escalations"])
ESCALATE_JOB = "escalate"


class EscalateConfig(dg.Config):
    """Lists what is due; with `send: true`, and where NEXUDUS_SEND_FROM_DAGSTER allows it, sends at most `limit`.

    Where the invoices themselves cannot be read nothing notifies, unless `notify` is true.
    """

    send: bool = False
    notify: bool = False
    limit: int = DEFAULT_LIMIT


def escalate_job(settings: Settings, prefix: str = "") -> dg.JobDefinition:
    """The job that lists, or sends, the follow-ups that are due. It has no assets, so no sync includes it."""

    @dg.op(
        name=f"{prefix}follow_up",
        description="Lists the follow-ups that are due; with `send: true` creates them, each once, where "
        "NEXUDUS_SEND_FROM_DAGSTER is true.",
    )
    def escalate(context: dg.OpExecutionContext, config: EscalateConfig) -> None:
        if config.send and not settings.send_from_dagster:
            # Dagster's pages ask for no password, and any page in the same browser can have them start a run.
            raise WrongUseError(
                "Nothing was sent: sending from Dagster needs NEXUDUS_SEND_FROM_DAGSTER=true on this machine. "
                "Or run `nexudus-billing escalate --send`."
            )
        if config.send:
            context.add_output_metadata(_metadata(send_due(settings, limit=config.limit, notify=config.notify)))
        else:
            due = find_due(settings)
            lines = [f"invoice {one.invoice_id}: {one.description}" for one in due.escalations[: config.limit]]
            listed = "\n".join(lines) or "none"
            context.add_output_metadata({"due": len(due.escalations), "listed": listed, "note": due.note})

    @dg.job(
        name=prefix + ESCALATE_JOB,
        executor_def=dg.in_process_executor,
        description="Follow-ups of invoices whose collection keeps failing. Never part of the sync unless "
        "NEXUDUS_ESCALATE_AFTER_SYNC is true.",
    )
    def job() -> None:
        escalate()

    return job


def recorded_assets(settings: Settings, *, pool: str | None = None) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The outbox, upstream of what is published, and, where the setting says so, the escalations after it.

    `pool` is the concurrency pool of those who write the warehouse.
    """
    outbox = dg.AssetSpec(
        OUTBOX,
        group_name="record",
        kinds={"duckdb"},
        description="One row per entry that this program was asked to create, with how far it has got.",
    )
    if not settings.escalate_after_sync:
        return [outbox]

    @dg.asset(
        key=ESCALATIONS,
        deps=[ANALYTICS],
        group_name="record",
        pool=pool,
        kinds={"api"},
        description="Follow-ups created in Nexudus after a sync, because NEXUDUS_ESCALATE_AFTER_SYNC is true.",
    )
    def escalations() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata=_metadata(send_due(settings)))

    return [outbox, escalations]


def _metadata(delivery: Delivery) -> dict[str, int | str]:
    """Counts, for a run that did all it could. Raises the delivery's problem otherwise."""
    if delivery.problem is not None:
        raise delivery.problem
    return {
        "summary": delivery.summary,
        "created": delivery.count(State.CONFIRMED) - len(delivery.known),
        "note": delivery.note,
    }
