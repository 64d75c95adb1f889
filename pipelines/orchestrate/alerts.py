"""What wakes somebody: sensors that post to NEXUDUS_ALERT_WEBHOOK_URL, as Slack and what is like it understand it.

Such a post says which job failed, where, and why if the reason is a sentence of ours. It carries no row, no name, no
address and no secret; whether it arrives never matters to a run. A run that is going to be retried is passed over, so
that one failure makes one post.
"""

import json
import time
import urllib.request
from collections.abc import Collection, Iterator
from logging import Logger
from typing import Any

import dagster as dg
import duckdb

from pipelines.errors import PipelineError
from pipelines.extract.failures import BadRequestError, EntryRefusedError
from pipelines.extract.histories import HISTORIES
from pipelines.land.freshness import judge_freshness, newest_closed_minute
from pipelines.land.warehouse import open_warehouse
from pipelines.orchestrate.channels import NotDeliveredError, post_text
from pipelines.orchestrate.dagster_internals import failing_checks
from pipelines.orchestrate.incident_alerts import tell_incidents
from pipelines.publish import bucket
from pipelines.settings import Clock, Settings, utc_now

_POST_SECONDS = 10
_FRESHNESS_SECONDS = 15 * 60
_CHECKS_SECONDS = 60
_INCIDENTS_SECONDS = 5 * 60
_LONGEST_REASON = 400
# These repeat what the API said about an entry, which may be anybody's words.
_OTHERS_WORDS = (BadRequestError, EntryRefusedError)
_UNTOLD = "the run's page says why"


def post(settings: Settings, text: str, log: Logger) -> bool:
    """Post a text; whether it arrived. What goes wrong is said in the log, without the address, which is a secret."""
    if settings.alert_webhook_url is None:
        log.info("NEXUDUS_ALERT_WEBHOOK_URL is not set, so this is told to nobody: %s", text)
        return False
    try:
        post_text(settings, text)
    except NotDeliveredError as error:  # must not become a failure of its own
        log.warning("%s", error)
        return False
    return True


def beat(settings: Settings) -> str | None:
    """Call NEXUDUS_HEARTBEAT_URL, if set. What went wrong, as a sentence without the address, which is a secret."""
    if settings.heartbeat_url is None:
        return None
    try:
        with urllib.request.urlopen(settings.heartbeat_url.get_secret_value(), timeout=_POST_SECONDS):  # noqa: S310 - see above
            return None
    except Exception as error:  # noqa: BLE001 - what was synced is good, even if nobody hears of it
        return f"The heartbeat could not be sent ({type(error).__name__}): check NEXUDUS_HEARTBEAT_URL."


def reason_of(error: Any) -> str:  # noqa: ANN401 - Dagster's record of an exception has no public type
    """Why a step failed: our own sentence if there is one in the chain of causes, else only the kind of the error."""
    kinds = {kind.__name__: kind for kind in _kinds(PipelineError)}
    innermost = "an unknown failure"
    while error is not None:
        innermost = error.cls_name or innermost
        kind = kinds.get(innermost)
        if kind:
            sentence = error.message.partition(": ")[2].strip()
            return _UNTOLD if issubclass(kind, _OTHERS_WORDS) else " ".join(sentence.split())[:_LONGEST_REASON]
        error = error.cause
    return f"{innermost}; {_UNTOLD}"


def alert_sensors(
    settings: Settings,
    *,
    histories: dg.AssetKey,
    asset_keys: Collection[dg.AssetKey],
    check_keys: Collection[dg.AssetCheckKey],
    job_names: Collection[str],
    sync_job_names: Collection[str],
    prefix: str = "",
    clock: Clock = utc_now,
) -> list[dg.SensorDefinition]:
    """The sensors for these jobs and assets; `check_keys` are the checks whose failure fails no run.

    `sync_job_names` are the jobs whose success the heartbeat tells. Those that post or call are on where there is an
    address to post to.
    """
    on, off = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    posting = on if settings.alert_webhook_url else off

    @dg.run_failure_sensor(
        name=f"{prefix}failed_run_alerts",
        default_status=posting,
        description="Posts a run that failed and will not be retried.",
    )
    def failed_run_alerts(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        is_ours = run.job_name in job_names or bool(set(asset_keys) & (run.asset_selection or set()))
        if is_ours and not _will_be_retried(context.instance, run.run_id):
            post(settings, "\n".join(_failure_lines(settings, context)), context.log)

    @dg.run_status_sensor(
        dg.DagsterRunStatus.SUCCESS,
        name=f"{prefix}heartbeat",
        default_status=on if settings.heartbeat_url else off,
        description="Calls NEXUDUS_HEARTBEAT_URL after each run that published, or had nothing new to publish.",
    )
    def heartbeat(context: dg.RunStatusSensorContext) -> None:
        is_sync = context.dagster_run.job_name in sync_job_names
        if is_sync and (trouble := bucket.trouble(settings) or beat(settings)):
            context.log.warning(trouble)

    @dg.sensor(
        name=f"{prefix}data_freshness",
        minimum_interval_seconds=_FRESHNESS_SECONDS,
        default_status=on,
        description="Looks how old the newest complete data is, also when nothing runs any more.",
    )
    def data_freshness(_context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            with open_warehouse(settings, read_only=True, wait_seconds=1) as connection:
                closed_until = newest_closed_minute(connection, HISTORIES)
        except (PipelineError, duckdb.Error) as error:
            return dg.SkipReason(f"{error}")
        found = judge_freshness(closed_until, clock())
        evaluation = dg.AssetCheckEvaluation(
            asset_key=histories,
            check_name=str(found.check_name),
            passed=found.passed,
            severity=found.severity,
            description=found.description,
            metadata=found.metadata,
        )
        return dg.SensorResult(asset_events=[evaluation])

    @dg.sensor(
        name=f"{prefix}failed_check_alerts",
        minimum_interval_seconds=_CHECKS_SECONDS,
        default_status=posting,
        description="Posts a check that fails no run, when it begins to fail or gets worse, and when it holds again.",
    )
    def failed_check_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = json.loads(context.cursor or "{}")
        failing = _failing(context.instance, check_keys)
        lines = [
            f":warning: {name}: {said}" for name, (severity, said) in failing.items() if known.get(name) != severity
        ]
        lines += [f":white_check_mark: {name} holds again." for name in known if name not in failing]
        if lines:
            post(settings, "\n".join(lines), context.log)
        return dg.SensorResult(cursor=json.dumps({name: severity for name, (severity, _) in failing.items()}))

    return [failed_run_alerts, heartbeat, data_freshness, failed_check_alerts, _incident_alerts(settings, prefix)]


def _incident_alerts(settings: Settings, prefix: str) -> dg.SensorDefinition:
    is_set = settings.alert_webhook_url or settings.smtp_host

    @dg.sensor(
        name=f"{prefix}incident_alerts",
        minimum_interval_seconds=_INCIDENTS_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if is_set else dg.DefaultSensorStatus.STOPPED,
        description="Tells finance of incidents that open or are over, once; what does not arrive is tried again.",
    )
    def incident_alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        for trouble in (troubles := tell_incidents(settings)):
            context.log.warning("%s", trouble)
        return dg.SkipReason(" ".join(troubles) or "Every incident is told.")

    return incident_alerts


def _failure_lines(settings: Settings, context: dg.RunFailureSensorContext) -> Iterator[str]:
    run = context.dagster_run
    yield f":red_circle: {run.job_name} failed (run {run.run_id[:8]})"
    failures = context.get_step_failure_events()
    if not failures:
        yield "It was cut off: its process died, or it ran for too long."
    broken = _broken_checks(context.instance, run.run_id)
    for check in broken:
        said = check.description or f"{check.check_name} does not hold"
        yield f"{check.asset_key.to_user_string()}: {said}; the last good file stays."
    for event in failures if not broken else ():
        yield f"{event.step_key}: {reason_of(getattr(event.event_specific_data, 'error', None))}"
    if settings.dagster_url:
        yield f"{settings.dagster_url.rstrip('/')}/runs/{run.run_id}"


def _broken_checks(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    checks = [entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event]
    return [check for check in checks if not check.passed and check.blocking]


def _will_be_retried(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Dagster tags the failed run with that, a moment after it has told of the failure."""
    for _ in range(20 if instance.run_retries_enabled else 0):
        run = instance.get_run_by_id(run_id)
        told = run.tags.get("dagster/will_retry") if run else "false"
        if told:
            return told == "true"
        time.sleep(0.1)
    return False


def _failing(instance: dg.DagsterInstance, check_keys: Collection[dg.AssetCheckKey]) -> dict[str, tuple[str, str]]:
    """The checks whose latest evaluation failed: severity and what it said, by name."""
    return {
        f"{key.asset_key.to_user_string()}: {key.name}": (found.severity.value, found.description or "does not hold")
        for key, found in failing_checks(instance, check_keys).items()
    }


def _kinds(error: type[PipelineError]) -> Iterator[type[PipelineError]]:
    yield error
    for kind in error.__subclasses__():
        yield from _kinds(kind)
