"""The publishing stage as Dagster assets: the file that analysts open, and Parquet files made from it."""

from collections.abc import Iterable

import dagster as dg

from pipelines.land.business_names import BUSINESS_NAMES
from pipelines.land.landed_assets import HISTORIES
from pipelines.land.warehouse import open_warehouse
from pipelines.model.inputs import inputs_of_run
from pipelines.model.sql_models import SqlModel
from pipelines.publish import bucket, releases
from pipelines.publish.analytics import load_views, publish
from pipelines.publish.parquet import parquet_folder, publish_parquet, release_name
from pipelines.publish.spreadsheets import export_folder, remove_exports
from pipelines.settings import Settings

ANALYTICS = dg.AssetKey(["publish", "analytics"])
PARQUET = dg.AssetKey(["publish", "parquet"])
BUCKET = dg.AssetKey(["publish", "bucket"])
_REPORT = dg.AssetKey(["show", "report"])


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
    def analytics(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with open_warehouse(settings) as connection:
            file = publish(
                connection,
                models,
                settings.analytics_path,
                personal_data=settings.publish_personal_data,
                tokens=settings.publish_tokens,
                inputs=inputs_of_run(connection, context.run.run_id),
                kept_releases=settings.kept_releases,
            )
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

    @dg.asset(
        key=BUCKET,
        deps=[PARQUET, _REPORT],
        check_specs=[dg.AssetCheckSpec("release_is_in_the_bucket", asset=BUCKET)],
        group_name="publish",
        description="The file, the report and the Parquet files in NEXUDUS_PUBLISH_TO. A failed upload fails no run.",
    )
    def uploaded() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it and wants it bare
        trouble = bucket.upload(settings)
        result = dg.AssetCheckResult(passed=not trouble, severity=dg.AssetCheckSeverity.WARN, description=trouble)
        return dg.MaterializeResult(metadata={"address": str(settings.publish_to)}, check_results=[result])

    return [analytics, parquet, *([uploaded] if settings.publish_to else [])]


def is_published(settings: Settings, inputs: str) -> bool:
    """Whether the published file, the Parquet files and the report are there, made from inputs of this version.

    Where a bucket is set they must be there, too.
    """
    file = settings.analytics_path
    newest = next(iter(releases.read_manifest(file).releases), None)
    if newest is None or newest.inputs != inputs:
        return False
    report, link = releases.report_path(file), parquet_folder(file) / "current"
    try:
        return (
            file.stat().st_size == newest.byte_count
            and link.resolve().name == release_name(newest.release_number)
            and report.stat().st_mtime_ns >= file.stat().st_mtime_ns
            and releases.change_since(file) is None
            and bucket.trouble(settings) is None
        )
    except OSError:
        return False


def _deps(models: list[SqlModel]) -> list[dg.AssetKey]:
    """The assets that the published tables read; ledgers and the like are not assets."""
    read = {model.table for model in models if model.published}.union(*(view.upstream for view in load_views()))
    keys = {dg.AssetKey(table.split(".")) for table in read}
    return sorted(key for key in keys if key.path[0] == "model" or key == HISTORIES)
