"""The jobs that a person or a clock starts."""

import dagster as dg

from pipelines.land.landed_assets import RECONCILIATIONS

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(RECONCILIATIONS),
    description="Pulls what the ledger lacks, models, checks and publishes.",
    executor_def=dg.in_process_executor,
)

reconcile_job = dg.define_asset_job(
    "reconcile",
    selection=dg.AssetSelection.all(),
    description="Pulls what the ledger lacks, compares all of it with the API, models, checks and publishes.",
    executor_def=dg.in_process_executor,
)
