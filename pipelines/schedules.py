"""The jobs that a person or a clock starts."""

import dagster as dg

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    description="Pulls what the ledger lacks, models, checks and publishes.",
    executor_def=dg.in_process_executor,
)
