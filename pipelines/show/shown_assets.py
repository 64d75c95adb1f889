"""The report as a Dagster asset, made at each publish."""

import dagster as dg

from pipelines.publish.published_assets import ANALYTICS
from pipelines.publish.releases import report_path
from pipelines.publish.snapshot import open_snapshot
from pipelines.settings import Settings, utc_now

REPORT = dg.AssetKey(["show", "report"])


def shown_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The report of the newest whole month."""

    @dg.asset(
        key=REPORT,
        deps=[ANALYTICS],
        group_name="show",
        kinds={"html"},
        description="One HTML file to send by e-mail: findings, the month's figures, changes, incidents, definitions.",
    )
    def report() -> dg.MaterializeResult[None]:
        from pipelines.show.report import write_report  # noqa: PLC0415 - Altair takes a second to import

        with open_snapshot(settings.analytics_path) as snapshot:
            file = write_report(snapshot, report_path(settings.analytics_path), utc_now())
        return dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(file.absolute()), "bytes": file.stat().st_size}
        )

    return [report]
