"""Who is woken, by what, how often, and what such a post never says."""

import json
import logging
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest
from pydantic import SecretStr

from pipelines.errors import RefusedError, TryAgainLaterError, WrongUseError
from pipelines.extract.failures import BadRequestError
from pipelines.land.freshness import CHECK_NAME
from pipelines.land.landed_assets import HISTORIES
from pipelines.land.warehouse import open_warehouse
from pipelines.orchestrate.alerts import alert_sensors, beat, post
from pipelines.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:.*currently in (beta|preview)")
CANARIES = ("canary-5ecret", "canary@example.com", "Canary O'Brien", "canary-token")
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
CHECK = dg.AssetCheckKey(HISTORIES, CHECK_NAME)


@pytest.fixture
def hook():
    """A webhook that keeps what is posted to it."""
    posted = []

    class Hook(BaseHTTPRequestHandler):
        status = 200

        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(Hook.status)
            self.end_headers()

        def do_GET(self):
            posted.append(self.path)
            self.send_response(Hook.status)
            self.end_headers()

        def log_message(self, *_): ...

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/services/canary-token", posted, Hook
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(hook, tmp_path):
    return Settings(
        _env_file=None,
        username="canary@example.com",
        password="canary-5ecret",
        alert_webhook_url=hook[0],
        dagster_url="http://dagster.local:3000/",
        data_dir=tmp_path,
    )


@pytest.fixture
def sensors(settings):
    made = alert_sensors(
        settings,
        histories=HISTORIES,
        asset_keys=[HISTORIES],
        check_keys=[CHECK],
        job_names=["daily_sync"],
        sync_job_names=["daily_sync"],
        clock=lambda: NOW,
    )
    return {sensor.name: sensor for sensor in made}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@contextmanager
def failed(instance, error, job_name="daily_sync"):
    """The context of a failure sensor for a run that an error has ended."""

    @dg.op
    def land():
        raise error

    @dg.job(name=job_name)
    def job():
        land()

    result = job.execute_in_process(instance=instance, raise_on_error=False)
    yield dg.build_run_status_sensor_context(
        sensor_name="failed_run_alerts",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()


def test_a_failed_run_is_posted_once_as_slack_has_it_with_cause_and_link(hook, sensors, instance):
    with failed(instance, TryAgainLaterError("The API cannot be reached: run the command again later.")) as context:
        sensors["failed_run_alerts"](context)
        run_id = context.dagster_run.run_id

    (message,) = hook[1]
    assert list(message) == ["text"]
    assert "daily_sync failed" in message["text"]
    assert "land: The API cannot be reached" in message["text"]
    assert message["text"].endswith(f"http://dagster.local:3000/runs/{run_id}")


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("canary@example.com may not read (password canary-5ecret)."),
        BadRequestError("The API refused: Canary O'Brien has no such invoice.", b""),
        ValueError("Could not convert 'Canary O'Brien, canary@example.com' to DECIMAL"),
    ],
)
def test_no_name_no_address_and_no_secret_is_posted(hook, sensors, instance, error):
    with failed(instance, error) as context:
        sensors["failed_run_alerts"](context)

    (message,) = hook[1]
    assert not [canary for canary in CANARIES if canary in message["text"]]
    assert "land: " in message["text"]


def test_nobody_is_called_and_no_link_made_by_the_words_of_others(hook, sensors, instance):
    with failed(instance, WrongUseError("<!channel> & <https://canary.example|here> @here \x1b]0;\u202eok")) as context:
        sensors["failed_run_alerts"](context)

    said = hook[1][0]["text"].split("land: ")[1].splitlines()[0]
    assert said == "&lt;!channel&gt; &amp; &lt;https://canary.example|here&gt; (at)here \ufffd]0;\ufffdok"


def test_a_run_of_another_project_in_the_same_location_is_not_ours_to_post(hook, sensors, instance):
    with failed(instance, TryAgainLaterError("Later."), job_name="somebody_elses") as context:
        sensors["failed_run_alerts"](context)

    assert hook[1] == []


def test_a_run_that_will_be_retried_is_passed_over_and_its_last_failure_posted(hook, sensors, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("run_retries: {enabled: true, max_retries: 1}\n", encoding="utf-8")
    with dg.DagsterInstance.get() as instance, failed(instance, TryAgainLaterError("Later.")) as context:
        for told in ("true", "false"):
            instance.add_run_tags(context.dagster_run.run_id, {"dagster/will_retry": told})
            sensors["failed_run_alerts"](context)
            assert len(hook[1]) == (told == "false")


@pytest.mark.parametrize("trouble", ["500", "nobody listens"])
def test_failing_to_post_fails_nothing_and_tells_no_secret(hook, settings, caplog, trouble):
    hook[2].status = 500
    if trouble == "nobody listens":
        nobody = SecretStr("http://127.0.0.1:9/services/canary-token")
        settings = settings.model_copy(update={"alert_webhook_url": nobody})

    with caplog.at_level(logging.INFO):
        assert post(settings, "daily_sync failed", logging.getLogger("alerts")) is False

    assert "NEXUDUS_ALERT_WEBHOOK_URL" in caplog.text
    assert not [canary for canary in CANARIES if canary in caplog.text]


def test_without_an_address_nothing_is_posted_and_the_posting_sensors_are_off():
    sensors = alert_sensors(
        Settings(_env_file=None), histories=HISTORIES, asset_keys=[], check_keys=[], job_names=[], sync_job_names=[]
    )

    assert {sensor.name: sensor.default_status.value for sensor in sensors} == {
        "failed_run_alerts": "STOPPED",
        "failed_check_alerts": "STOPPED",
        "heartbeat": "STOPPED",
        "data_freshness": "RUNNING",
        "incident_alerts": "STOPPED",
    }


@pytest.mark.parametrize(("job_name", "calls"), [("daily_sync", ["/ping/canary-token"]), ("escalate", [])])
def test_the_heartbeat_is_called_after_a_good_sync_and_after_nothing_else(hook, settings, instance, job_name, calls):
    url = SecretStr(hook[0].replace("/services/", "/ping/"))
    sensors = alert_sensors(
        settings.model_copy(update={"heartbeat_url": url}),
        histories=HISTORIES,
        asset_keys=[],
        check_keys=[],
        job_names=[job_name],
        sync_job_names=["daily_sync"],
    )
    (heartbeat,) = [sensor for sensor in sensors if sensor.name == "heartbeat"]

    @dg.op
    def publish(): ...

    @dg.job(name=job_name)
    def job():
        publish()

    result = job.execute_in_process(instance=instance)
    heartbeat(
        dg.build_run_status_sensor_context(
            sensor_name="heartbeat",
            dagster_event=result.get_run_success_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        )
    )

    assert heartbeat.default_status.value == "RUNNING"
    assert hook[1] == calls


@pytest.mark.fault("the heartbeat's address answers 500, or nobody listens", "at the end of a sync", "warned of")
@pytest.mark.parametrize("trouble", ["500", "nobody listens"])
def test_a_heartbeat_that_does_not_arrive_fails_nothing_and_tells_no_secret(hook, settings, trouble):
    hook[2].status = 500
    url = hook[0] if trouble == "500" else "http://127.0.0.1:9/canary-token"
    told = beat(settings.model_copy(update={"heartbeat_url": SecretStr(url)}))

    assert "NEXUDUS_HEARTBEAT_URL" in told
    assert "canary" not in told


def look(sensors, settings, instance, age, cursor):
    """One round of the sensors, with data of this age; the next cursor."""
    end = NOW - age
    with open_warehouse(settings) as connection:
        connection.execute("delete from land.windows")
        connection.execute(
            "insert into land.windows (entity, axis, from_at, to_at)"
            " values ('CoworkerInvoiceHistory', 'UpdatedOn', $1, $2)",
            [end - timedelta(days=1), end],
        )
    with dg.build_sensor_context(instance=instance) as context:
        (evaluation,) = sensors["data_freshness"](context).asset_events
    instance.report_runless_asset_event(evaluation)
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return sensors["failed_check_alerts"](context).cursor


def test_stale_data_is_posted_when_it_goes_stale_when_it_gets_worse_and_when_it_is_fresh_again(
    hook, sensors, settings, instance
):
    cursor = None
    for hours in (1, 37, 38, 90, 91, 1, 2):
        cursor = look(sensors, settings, instance, timedelta(hours=hours), cursor)

    texts = [message["text"] for message in hook[1]]
    assert [text.split()[0] for text in texts] == [":warning:", ":warning:", ":white_check_mark:"]
    assert "37.0 hours ago" in texts[0]
    assert "90.0 hours ago" in texts[1]
