"""The publishing stage as Dagster assets: the file that analysts open."""

from collections.abc import Iterable

import dagster as dg

from pipelines.land.warehouse import open_warehouse
from pipelines.model.sql_models import SqlModel
from pipelines.publish.analytics import load_views, publish
from pipelines.settings import Settings

ANALYTICS = dg.AssetKey(["publish", "analytics"])


def published_assets(settings: Settings, models: Iterable[SqlModel]) -> list[dg.AssetsDefinition]:
    """The published file. It depends on every published model, so a failed check of one of them keeps the last file."""
    models = list(models)
    tables = {model.table for model in models if model.published}.union(*(view.upstream for view in load_views()))

    @dg.asset(
        key=ANALYTICS,
        deps=[dg.AssetKey(table.split(".")) for table in sorted(tables) if table != "land.windows"],
        group_name="publish",
        kinds={"duckdb"},
        description="The file that analysts open, with comments on every table and column; swapped in by one rename.",
    )
    def analytics() -> dg.MaterializeResult[None]:
        with open_warehouse(settings) as connection:
            file = publish(connection, models, settings.analytics_path, personal_data=settings.publish_personal_data)
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(file.path.absolute()),
                "bytes": file.byte_count,
                "sha256": file.checksum,
                "rows": dg.MetadataValue.table(
                    [dg.TableRecord({"table": name, "rows": count}) for name, count in sorted(file.row_counts.items())],
                    schema=dg.TableSchema([dg.TableColumn("table"), dg.TableColumn("rows", "int")]),
                ),
            }
        )

    return [analytics]
