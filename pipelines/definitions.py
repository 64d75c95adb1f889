"""What Dagster loads. Assembly only: importing this opens no file and no socket and reads no environment."""

import os
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import dagster as dg

from pipelines.foundation.private_files import close_folder
from pipelines.foundation.sql_files import sql_folder
from pipelines.foundation.telling import Tell
from pipelines.land import landed_assets as land
from pipelines.land.business_names import business_names_asset
from pipelines.land.lake_upkeep import upkeep_schedules
from pipelines.land.warehouse import open_warehouse
from pipelines.model import model_assets as model
from pipelines.model.sql_models import load_models
from pipelines.model.withholding import withhold
from pipelines.orchestrate.alerts import alert_sensors
from pipelines.orchestrate.dagster_internals import with_op_name
from pipelines.orchestrate.reporting import weekly_report
from pipelines.orchestrate.schedules import sync_jobs, sync_schedules
from pipelines.publish import published_assets as publish
from pipelines.record import record_jobs as record
from pipelines.settings import Settings, load_settings
from pipelines.show import shown_assets as show

# Backfill policies are marked beta since 2023; the lock file pins the Dagster that they are tried with.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

WAREHOUSE_POOL = "nexudus_warehouse"
"""The concurrency pool of every step that opens the warehouse; dagster.yaml gives it one place."""

Asset = dg.AssetsDefinition | dg.AssetSpec
_CODE = {"land": land, "model": model, "publish": publish, "record": record, "show": show}
# Whose question it is when a figure looks odd: how it was read, or what it means.
_OWNERS = {
    "land": "team:data",
    "record": "team:data",
    "model": "team:finance",
    "publish": "team:finance",
    "show": "team:finance",
}


def build_definitions(
    settings: Settings,
    *,
    tell: Tell = lambda _: None,
    key_prefix: str | None = None,
    pool: str | None = WAREHOUSE_POOL,
) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors for these settings.

    Another Dagster project mounts them with `Definitions.merge`, and gives a `key_prefix` where a name of theirs could
    be one of its own: it goes before every asset key and, with an underscore, before every job, schedule and sensor.
    `tell` is given each result as it comes; `pool` is the concurrency pool of the steps that write the warehouse.
    """
    models = load_models()
    assets = _described(
        [
            *land.landed_assets(settings, tell, pool=pool, withhold=withhold),
            business_names_asset(settings, pool=pool),
            *model.model_assets(
                settings,
                open_warehouse,
                models,
                is_published=partial(publish.is_published, settings),
                tell=tell,
                pool=pool,
            ),
            *publish.published_assets(settings, models, pool=pool),
            *record.recorded_assets(settings, pool=pool),
            *show.shown_assets(settings),
        ]
    )
    if key_prefix:
        assets = _prefixed(assets, key_prefix)
    prefix = f"{key_prefix}_" if key_prefix else ""
    made = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition) and asset.is_executable]
    keys = sorted(key for asset in made for key in asset.keys)
    jobs = sync_jobs(keys, prefix)
    escalate = record.escalate_job(settings, prefix)
    weekly = weekly_report(settings, prefix)
    return dg.Definitions(
        assets=assets,
        jobs=[*jobs.values(), escalate],
        schedules=[*sync_schedules(settings, keys, jobs), weekly, *upkeep_schedules(settings, prefix)],
        sensors=alert_sensors(
            settings,
            histories=next(key for key in keys if key.path[-2:] == land.HISTORIES.path),
            asset_keys=keys,
            check_keys=[spec.key for asset in made for spec in asset.check_specs if not spec.blocking],
            sync_job_names=[job.name for job in jobs.values()],
            job_names=[*(job.name for job in jobs.values()), escalate.name, weekly.job_name],
            prefix=prefix,
        ),
    )


@dg.definitions
def definitions() -> dg.Definitions:
    """The code location of `workspace.yaml`: settings come from the environment when Dagster asks, not at import.

    Files of the processes that load it, and Dagster's home, are for their owner only.
    """
    os.umask(0o077)
    if home := os.environ.get("DAGSTER_HOME"):
        close_folder(Path(home))
    # What is started from the asset graph runs in one process too, as the jobs do.
    return dg.Definitions.merge(build_definitions(load_settings()), dg.Definitions(executor=dg.in_process_executor))


def _described(assets: Sequence[Asset]) -> list[Asset]:
    """The assets with their owners, and with where the code of each is to be read."""
    return list(dg.map_asset_specs(_describe, assets))


def _describe(spec: dg.AssetSpec) -> dg.AssetSpec:
    stage, name = spec.key.path[0], spec.key.path[-1]
    if stage not in _CODE:
        return spec
    files = [sql_folder(stage) / f"{name}.sql", Path(str(_CODE[stage].__file__))]
    references = [dg.LocalFileCodeReference(file_path=str(file.absolute())) for file in files if file.exists()]
    return spec.merge_attributes(
        owners=[_OWNERS[stage]],
        metadata={"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=list(references))},
    )


def _prefixed(assets: Sequence[Asset], prefix: str) -> list[Asset]:
    """The assets under keys that begin with `prefix`, and so whatever refers to them, and the ops that make them."""
    own = {key for asset in assets for key in ([asset.key] if isinstance(asset, dg.AssetSpec) else asset.keys)}
    renamed = {key: key.with_prefix(prefix) for key in own}
    return [
        asset.replace_attributes(key=renamed[asset.key])
        if isinstance(asset, dg.AssetSpec)
        else _with_op_of_its_own(asset.with_attributes(asset_key_replacements=renamed), prefix)
        for asset in assets
    ]


def _with_op_of_its_own(asset: dg.AssetsDefinition, prefix: str) -> dg.AssetsDefinition:
    """The names of ops are global to a code location, and made of the keys that the assets had at first."""
    return with_op_name(asset, f"{prefix}__{asset.op.name}") if asset.is_executable else asset
