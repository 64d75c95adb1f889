"""The publishing stage as Dagster assets: the file that analysts open, and Parquet files made from it."""

from collections.abc import Iterable

import dagster as dg

from pipelines.land.business_names import BUSINESS_NAMES
from pipelines.land.landed_assets import HISTORIES
from pipelines.land.warehouse import open_warehouse
from pipelines.model.sql_models import SqlModel
from pipelines.publish.analytics import load_views, publish
from pipelines.publish.parquet import publish_parquet
from pipelines.publish.spreadsheets import export_folder, remove_exports
from pipelines.settings import Settings

ANALYTICS = dg.AssetKey(["publish", "analytics"])
PARQUET = dg.AssetKey(["publish", "parquet"])


def published_assets(
    settings: Settings, models: Iterable[SqlModel], *, pool: str | None = None
) -> list[dg.AssetsDefinition]:
    """The published file. It depends on every published model, so a failed check of one keeps the previous file.

    `pool` is the concurrency pool of those who hold the warehouse.
    """
    models = list(models)

    @dg.asset(
        key=ANALYTICS,
        deps=[BUSINESS_NAMES, *_deps(models)],
        group_name="publish",
        pool=pool,
        kinds={"duckdb"},
        description="The file that analysts open, with comments on every table and column; swapped in by one rename.",
    )
    def analytics() -> dg.MaterializeResult[None]:
        with open_warehouse(settings) as connection:
            file = publish(connection, models, settings.analytics_path, personal_data=settings.publish_personal_data)
        if file.withdraws_personal_data:
            remove_exports(export_folder(settings))
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(file.path.absolute()),
                "release": file.release_number,
                "bytes": file.byte_count,
                "sha256": file.checksum,
                "rows": dg.MetadataValue.table(
                    [dg.TableRecord({"table": name, "rows": count}) for name, count in sorted(file.row_counts.items())],
                    schema=dg.TableSchema([dg.TableColumn("table"), dg.TableColumn("rows", "int")]),
                ),
            }
        )

    @dg.asset(
        key=PARQUET,
        deps=[ANALYTICS],
        group_name="publish",
        kinds={"parquet"},
        description="The same tables as Parquet files, one folder for each table.",
    )
    def parquet() -> dg.MaterializeResult[None]:
        folder = publish_parquet(settings.analytics_path)
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(folder.absolute())})

    return [analytics, parquet]


def _deps(models: list[SqlModel]) -> list[dg.AssetKey]:
    """The assets that the published tables read; ledgers and the like are not assets."""
    read = {model.table for model in models if model.published}.union(*(view.upstream for view in load_views()))
    keys = {dg.AssetKey(table.split(".")) for table in read}
    return sorted(key for key in keys if key.path[0] == "model" or key == HISTORIES)
