"""A sync or a reconciliation from the command line: the assets that Dagster shows, run here and recorded there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from pipelines.definitions import build_definitions
from pipelines.errors import BrokenPromiseError
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity import Entity
from pipelines.extract.histories import HISTORIES as ENTRIES
from pipelines.extract.invoices import INVOICES
from pipelines.foundation.telling import Tell
from pipelines.land.landed import Landed
from pipelines.land.landed_assets import (
    HISTORIES,
    RECONCILIATIONS,
    PullConfig,
    ReconcileConfig,
    find_first_month,
    months_to_cover,
)
from pipelines.land.warehouse import LANDING, open_warehouse
from pipelines.model.building import BuiltModel
from pipelines.model.inputs import Unchanged
from pipelines.model.model_assets import INPUTS, InputsConfig
from pipelines.orchestrate.alerts import beat
from pipelines.orchestrate.in_process import dagster_instance, run_job
from pipelines.orchestrate.incident_alerts import tell_incidents
from pipelines.orchestrate.schedules import RECONCILE_JOB, SYNC_JOB
from pipelines.publish import bucket
from pipelines.settings import Settings


@dataclass(frozen=True)
class SyncReport:
    """What a sync did: what each landing step did, where the published file is and whether it stayed as it was.

    `troubles` are sentences on what did not arrive: the heartbeat, or an alert.
    """

    run_id: str
    landed: tuple[Landed, ...]
    data_request_count: int
    path: Path
    is_unchanged: bool
    troubles: tuple[str, ...]

    @property
    def row_count(self) -> int:
        """History entries in the warehouse."""
        return self._of(ENTRIES)[-1].row_count

    def _of(self, entity: Entity) -> list[Landed]:
        return [landed for landed in self.landed if landed.entity is entity]

    def __str__(self) -> str:
        """Two lines for a person."""
        pulled, *compared = [landed.report for landed in self._of(ENTRIES)]
        rows = [report.rows for report in (pulled, *compared)]
        deleted = f"{compared[0].deleted_count} deleted, " if compared else ""
        return (
            f"Pulled {pulled.pulled or 'nothing, for nothing was missing'}: {sum(each.new for each in rows)} new, "
            f"{sum(each.changed for each in rows)} changed, {sum(each.same for each in rows)} unchanged, "
            f"{deleted}{sum(each.rejected for each in rows)} rejected, "
            f"in {self.data_request_count} requests.\n"
            + ("No figure can have changed, so none was built again: " if self.is_unchanged else "Published ")
            + f"{self.path}; the warehouse holds {self.row_count} history entries"
            f"{''.join(f' and {invoices.row_count} invoices' for invoices in self._of(INVOICES)[-1:])}."
        )


@dataclass
class _Told:
    """What the steps of a run told; `show` is given each of it for a person to see."""

    show: Tell
    landed: list[Landed] = field(default_factory=list)
    broken: list[BuiltModel] = field(default_factory=list)
    is_unchanged: bool = False

    def __call__(self, result: object) -> None:
        self.show(result)
        if isinstance(result, Landed):
            self.landed.append(result)
        elif isinstance(result, BuiltModel) and result.broken:
            self.broken.append(result)
        elif isinstance(result, Unchanged):
            self.is_unchanged = True


def run_sync(
    settings: Settings, show: Tell, config: PullConfig, *, rebuild: bool = False, verbose: bool = False
) -> SyncReport:
    """Pull what the ledger lacks (narrowed or forced by `config`), model, check and publish.

    Where nothing that the figures are made from has changed they are built only if `rebuild` says so.

    Raises BrokenPromiseError, naming the promises, when one broke and nothing was published; and whatever the
    client, the reader or the warehouse raise.
    """
    return _run(settings, show, SYNC_JOB, {HISTORIES: config, INPUTS: InputsConfig(rebuild=rebuild)}, verbose=verbose)


def run_reconcile(settings: Settings, show: Tell, config: ReconcileConfig, *, verbose: bool = False) -> SyncReport:
    """What `run_sync` does, and between pulling and modelling compare all of it with the API by count.

    Raises what `run_sync` raises, and LossRefusedError when too much seems gone.
    """
    return _run(settings, show, RECONCILE_JOB, {HISTORIES: PullConfig(), RECONCILIATIONS: config}, verbose=verbose)


def _run(
    settings: Settings, show: Tell, job_name: str, configs: Mapping[dg.AssetKey, dg.Config], *, verbose: bool
) -> SyncReport:
    pull_config = configs[HISTORIES]
    assert isinstance(pull_config, PullConfig)  # noqa: S101 - every job begins with a pull
    told = _Told(show)
    # Before anything is made: without a login or a role nothing is left behind.
    with NexudusClient(settings) as client:
        client.log_in()
        with open_warehouse(settings, limits=LANDING) as connection:
            find_first_month(settings, connection, client)
    with dagster_instance(settings) as instance:
        shown = instance.get_materialized_partitions(HISTORIES)
        with open_warehouse(settings, limits=LANDING) as connection:
            months = months_to_cover(settings, connection, pull_config, shown=shown)
        try:
            run_id = run_job(
                instance,
                # A command that is killed could not give its place in the pool back; the lock on the file does for two.
                build_definitions(settings, tell=told, pool=None),
                job_name,
                months=months,
                ops={key.to_python_identifier(): {"config": given.model_dump()} for key, given in configs.items()},
                verbose=verbose,
            )
        except dg.DagsterError:
            if told.broken:
                raise BrokenPromiseError(_sentence(told.broken)) from None
            raise
    asked = client.data_request_count + sum(landed.data_request_count for landed in told.landed)
    troubles = (*tell_incidents(settings), *filter(None, [bucket.trouble(settings) or beat(settings)]))
    return SyncReport(
        run_id, tuple(told.landed), asked, settings.analytics_path.absolute(), told.is_unchanged, troubles
    )


def _sentence(broken: Iterable[BuiltModel]) -> str:
    lines = [
        f"  {built.model.table}: {result.name} ({result.sentence}), {result.count} rows, the first: "
        f"{[{column: str(value) for column, value in row.items()} for row in result.rows]}"
        for built in broken
        for result in built.broken
    ]
    return "\n".join(
        [
            "Nothing was published, the last good file stays: these promises broke. Look at the rows, then sync again.",
            *lines,
        ]
    )
