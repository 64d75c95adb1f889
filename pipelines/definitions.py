"""What Dagster loads. Assembly only: importing this opens no file and no socket and reads no environment."""

import warnings

import dagster as dg

from pipelines.land.landed_assets import landed_assets
from pipelines.land.pull import OnStep
from pipelines.land.warehouse import open_warehouse
from pipelines.model.model_assets import model_assets
from pipelines.model.sql_models import load_models
from pipelines.publish.published_assets import published_assets
from pipelines.record.record_jobs import escalate_job, recorded_assets
from pipelines.schedules import reconcile_job, sync_job
from pipelines.settings import Settings, load_settings

# Backfill policies are marked beta since 2023; the lock file pins the Dagster that they are tried with.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


def build_definitions(settings: Settings, *, on_step: OnStep = lambda _: None) -> dg.Definitions:
    """All assets, checks and jobs for these settings; `on_step` is called after each answer that was landed."""
    return dg.Definitions(
        assets=[
            *landed_assets(settings, on_step),
            *model_assets(settings, open_warehouse),
            *published_assets(settings, load_models()),
            *recorded_assets(settings),
        ],
        jobs=[sync_job, reconcile_job, escalate_job(settings)],
    )


@dg.definitions
def definitions() -> dg.Definitions:
    """The code location of `workspace.yaml`: settings come from the environment when Dagster asks, not at import."""
    return build_definitions(load_settings())
