"""The publishing stage as Dagster assets: the file that analysts open, and what is made of it."""

from collections.abc import Iterable

import dagster as dg

from pipelines.errors import PipelineError
from pipelines.extract.client import NexudusClient
from pipelines.land.landed_assets import HISTORIES
from pipelines.land.warehouse import open_warehouse
from pipelines.model.sql_models import SqlModel
from pipelines.publish import business_names
from pipelines.publish.analytics import load_views, publish
from pipelines.publish.parquet import publish_parquet
from pipelines.settings import Settings, utc_now

ANALYTICS = dg.AssetKey(["publish", "analytics"])
PARQUET = dg.AssetKey(["publish", "parquet"])
BUSINESS_NAMES = dg.AssetKey(["land", "business_names"])


def published_assets(
    settings: Settings, models: Iterable[SqlModel], *, pool: str | None = None
) -> list[dg.AssetsDefinition]:
    """The published file. It depends on every published model, so a failed check of one of them keeps the last file.

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
        description="The same tables as Parquet, a folder a table, for tools that read files.",
    )
    def parquet() -> dg.MaterializeResult[None]:
        folder = publish_parquet(settings.analytics_path)
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(folder.absolute())})

    return [_business_names_asset(settings, pool), analytics, parquet]


def _deps(models: list[SqlModel]) -> list[dg.AssetKey]:
    """What the published tables are made of, as far as Dagster knows it: ledgers and the like are no assets."""
    read = {model.table for model in models if model.published}.union(*(view.upstream for view in load_views()))
    keys = {dg.AssetKey(table.split(".")) for table in read}
    return sorted(key for key in keys if key.path[0] == "model" or key == HISTORIES)


def _business_names_asset(settings: Settings, pool: str | None) -> dg.AssetsDefinition:
    @dg.asset(
        key=BUSINESS_NAMES,
        deps=[HISTORIES],
        group_name="land",
        pool=pool,
        kinds={"duckdb"},
        description="What the businesses are called, by NEXUDUS_BUSINESSES_FILE or the API. No figure depends on it.",
    )
    def names() -> dg.MaterializeResult[None]:
        with open_warehouse(settings) as connection:
            if settings.businesses_file:
                found = business_names.read_names_file(settings.businesses_file)
                business_names.store_names(connection, found, "file", utc_now())
                said = f"read {settings.businesses_file}"
            elif business_names.is_due(connection, utc_now()):
                found, said = _asked(settings)
                business_names.store_names(connection, found, "api", utc_now())
            else:
                said = "known already"
            named = business_names.named_count(connection)
        return dg.MaterializeResult(metadata={"named_businesses": named, "said": said})

    return names


def _asked(settings: Settings) -> tuple[list[business_names.BusinessName], str]:
    """Names are a courtesy: whatever the API answers, the figures are published."""
    try:
        with NexudusClient(settings) as client:
            return business_names.ask_for_names(client), "asked the API"
    except PipelineError as error:
        return [], f"{error} {business_names.HOW_TO_NAME}"
