"""The report by mail: as `report --send` sends it, and as Dagster does each week."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.orchestrate.channels import send_mail
from pipelines.orchestrate.schedules import not_a_time
from pipelines.publish.snapshot import Snapshot, open_snapshot
from pipelines.settings import Settings, utc_now

WEEKLY_REPORT_JOB = "weekly_report"
_RETRIES, _RETRY_SECONDS = 3, 15 * 60


def mail_report(
    settings: Settings,
    snapshot: Snapshot,
    now: datetime,
    period_code: str | None = None,
    business_id: int | None = None,
) -> str | None:
    """Mail the report with the findings as text: as PDF, where that can be made, and as HTML.

    Returns a sentence where some addresses were refused. Raises NotDeliveredError, and WrongUseError for a setting, a
    period or a business.
    """
    from pipelines.show.report import findings_as_text, write_report  # noqa: PLC0415 - drawing takes a second to import

    name = "payment-failures" if period_code is None else f"payment-failures-{period_code}"
    lines = [findings_as_text(snapshot, now, business_id), *filter(None, [settings.dashboard_url])]
    with TemporaryDirectory() as folder:
        files = [write_report(snapshot, Path(folder, f"{name}.html"), now, period_code, business_id)]
        try:
            files.insert(0, write_report(snapshot, Path(folder, f"{name}.pdf"), now, period_code, business_id))
        except WrongUseError as trouble:
            lines.append(str(trouble))
        return send_mail(settings, "Payment failures: the report", "\n\n".join(lines), files)


def weekly_report(settings: Settings, prefix: str = "") -> dg.ScheduleDefinition:
    """The schedule that mails the report each week, on where a mail server is set, and its job.

    Raises WrongUseError for a time that is none.
    """

    @dg.op(name=f"{prefix}mail_report", description="Mails the report to NEXUDUS_MAIL_TO.")
    def mail(context: dg.OpExecutionContext) -> None:
        try:
            with open_snapshot(settings.analytics_path) as snapshot:
                if trouble := mail_report(settings, snapshot, utc_now()):
                    context.log.warning("%s", trouble)
        except TryAgainLaterError as error:
            if getattr(error, "may_have_arrived", False) or context.retry_number >= _RETRIES:
                raise
            raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=_RETRY_SECONDS) from error

    @dg.job(
        name=prefix + WEEKLY_REPORT_JOB,
        executor_def=dg.in_process_executor,
        description="The report of the newest whole month and the running one, by mail.",
    )
    def job() -> None:
        mail()

    try:
        return dg.ScheduleDefinition(
            name=job.name,
            job=job,
            cron_schedule=settings.weekly_report_cron,
            execution_timezone=settings.reporting_timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING if settings.smtp_host else dg.DefaultScheduleStatus.STOPPED,
        )
    except dg.DagsterInvalidDefinitionError:
        raise not_a_time("weekly_report_cron", settings.weekly_report_cron) from None
