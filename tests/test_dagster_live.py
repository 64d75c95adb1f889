"""The real daemon and webserver, as processes: ticks, backfills, a power cut, and what a person sees in a browser."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from dagster_services import LOCATION, PROJECT, Services, dagster_services, wait_for

from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox

pytestmark = pytest.mark.slow
HISTORIES = ["land", "coworker_invoice_histories"]
EVERY_MINUTE = "* * * * *"


def published_ids(services):
    with duckdb.connect(str(services.folder / "data" / "analytics.duckdb"), read_only=True) as published:
        return {row[0] for row in published.execute("select entry_id from history_entries").fetchall()}


def succeeded(job):
    return lambda run: run["jobName"] == job and run["status"] == "SUCCESS"


def months_back(count):
    now = datetime.now(UTC)
    month = now.year * 12 + now.month - 1
    return [f"{each // 12}-{each % 12 + 1:02}-01" for each in range(month - count + 1, month + 1)]


def start_backfill(services: Services, partitions):
    answer = services.ask(
        """mutation ($backfill: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $backfill) {
            ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        backfill={"assetSelection": [{"path": HISTORIES}], "partitionNames": partitions},
    )
    return answer["launchPartitionBackfill"]["backfillId"]


def backfill_status(services, backfill):
    answer = services.ask(
        "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }",
        id=backfill,
    )
    return answer["partitionBackfillOrError"]["status"]


def history_node(services):
    answer = services.ask(
        """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
            partitionStats { numMaterialized numPartitions }
            assetMaterializations(limit: 1) { runId metadataEntries { label ... on IntMetadataEntry { intValue } } }
            assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } }
        } } }""",
        key={"path": HISTORIES},
    )
    return answer["assetNodeOrError"]


@pytest.fixture(scope="module")
def living(tmp_path_factory):
    """Two years of history, a backfill of them asked for at once, and a daily sync whose hour comes every minute."""
    folder = tmp_path_factory.mktemp("living")
    operator = make_operator(size=2400, months=24, until=datetime.now(UTC))
    with (
        running_sandbox(operator) as sandbox,
        dagster_services(folder, sandbox, daily_sync_cron=EVERY_MINUTE, reporting_timezone="Europe/London") as services,
    ):
        services.start_webserver()
        backfill = start_backfill(services, months_back(24))
        services.start_daemon()
        wait_for(lambda: backfill_status(services, backfill) == "COMPLETED_SUCCESS", "the backfill", services.logs)
        run = services.wait_for_run(succeeded("daily_sync"))
        yield sandbox, services, backfill, run


def test_a_backfill_of_24_months_is_one_run(living):
    _, services, backfill, _ = living

    runs = [run for run in services.runs() if {"key": "dagster/backfill", "value": backfill} in run["tags"]]

    assert [run["status"] for run in runs] == ["SUCCESS"]
    assert history_node(services)["partitionStats"]["numMaterialized"] >= 24


def test_a_tick_of_the_schedule_syncs_and_publishes_all_there_is(living):
    sandbox, services, _, run = living
    truth = {row["Id"] for row in sandbox.store.truth() if not row["CoworkerInvoiceDraft"]}

    assert {"key": "dagster/schedule_name", "value": "daily_sync"} in run["tags"]
    assert published_ids(services) <= {row["Id"] for row in sandbox.store.truth()}
    assert len(published_ids(services)) >= 0.9 * len(truth)


def test_graphql_tells_what_was_pulled_and_that_it_is_fresh(living):
    sandbox, services, _, _ = living
    settled = [row for row in sandbox.store.truth() if row["UpdatedOn"] < datetime.now(UTC) - timedelta(minutes=10)]
    node = history_node(services)

    told = {entry["label"]: entry.get("intValue") for entry in node["assetMaterializations"][0]["metadataEntries"]}
    assert len(settled) <= told["dagster/row_count"] <= len(sandbox.store.truth())
    assert told["rows_rejected"] == 0
    checks = {
        check["name"]: check["executionForLatestMaterialization"] for check in node["assetChecksOrError"]["checks"]
    }
    assert set(checks) == {"newest_data_is_recent"}


def test_all_was_asked_for_about_once(living):
    sandbox, _, _, _ = living

    assert sandbox.requests.data_count < 60


LOOKS = {
    "graph": ("/asset-groups", {"width": 1600, "height": 760}, ["extract", "land", "model", "publish", "show"]),
    "asset": (
        "/assets/land/coworker_invoice_histories",
        {"width": 1280, "height": 800},
        ["rows_new", "Row count", "Owners", "Source code", "hourly_sync"],
    ),
    "trend": (
        "/assets/model/monthly_payment_failure_rates?view=events",
        {"width": 1280, "height": 640},
        ["trend", "attempts", "ratio", "dagster/column_schema"],
    ),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_person_sees_the_graph_and_what_an_asset_holds(living, tmp_path, name):
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = next((file for file in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(file).exists()), None)
    if chromium is None:
        pytest.skip("needs Debian's chromium")
    _, services, _, _ = living
    path, size, words = LOOKS[name]
    # DAGSTER_SCREENSHOTS=docs/images renews the pictures of the documentation.
    picture = Path(os.environ.get("DAGSTER_SCREENSHOTS", tmp_path)) / f"dagster-{name}.png"
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=size)
        page.goto(services.url + path, timeout=60_000)
        for word in words:
            page.wait_for_selector(f"text={word}", timeout=60_000, state="attached")
        page.wait_for_timeout(3000)
        page.screenshot(path=picture)
        browser.close()
    assert picture.stat().st_size > 20_000


def test_a_daemon_killed_in_mid_run_is_followed_by_runs_that_finish_the_work(tmp_path):
    operator = make_operator(size=2000, months=12, until=datetime.now(UTC))
    with (
        running_sandbox(operator) as sandbox,
        dagster_services(tmp_path, sandbox, daily_sync_cron=EVERY_MINUTE, page_size=100) as services,
    ):
        sandbox.knobs.slow_rate, sandbox.knobs.slow_seconds = 1.0, 1.0
        services.start_webserver()
        services.start_daemon()
        wait_for(lambda: sandbox.requests.data_count >= 5, "the middle of a run", services.logs)
        services.kill("dagster-daemon")
        asked_before = sandbox.requests.data_count
        sandbox.knobs.slow_rate = 0.0
        (cut_off,) = [run["id"] for run in services.runs() if run["status"] == "STARTED"]

        services.start_daemon()
        services.wait_for_run(succeeded("daily_sync"))
        wait_for(lambda: {run["id"]: run["status"] for run in services.runs()}[cut_off] == "FAILURE", "the verdict")

        truth = {row["Id"] for row in sandbox.store.truth()}
        assert published_ids(services) <= truth
        assert len(published_ids(services)) >= 0.9 * len(truth)
        pages = -(-len(truth) // 100)
        assert asked_before + sandbox.requests.data_count <= 2 * asked_before + 1.2 * pages + 60
        with duckdb.connect(str(services.folder / "data" / "analytics.duckdb"), read_only=True) as published:
            assert published.execute("select count(*) = count(distinct entry_id) from history_entries").fetchone()[0]


TIMELINE = """{ runsOrError { ... on Runs { results { jobName
    repositoryOrigin { repositoryName repositoryLocationName } } } } }"""
JOB_RUNS = """query ($at: PipelineSelector!) { pipelineOrError(params: $at) { ... on Pipeline {
    runs(limit: 5) { status } } } }"""


def test_the_pages_show_what_the_command_line_ran_and_no_month_as_missing(tmp_path):
    operator = make_operator(size=600, months=4, until=datetime.now(UTC))
    with running_sandbox(operator) as sandbox, dagster_services(tmp_path, sandbox) as services:
        services.environment["NEXUDUS_HISTORY_START"] = "2012-01-01"
        command = [str(Path(sys.executable).with_name("nexudus-billing")), "sync"]
        subprocess.run(command, env=services.environment, cwd=tmp_path, check=True, capture_output=True)
        services.start_webserver()

        (run,) = services.ask(TIMELINE)["runsOrError"]["results"]
        assert run == {"jobName": "sync", "repositoryOrigin": LOCATION}
        found = services.ask(JOB_RUNS, at={"pipelineName": "sync", **LOCATION})
        assert found["pipelineOrError"]["runs"] == [{"status": "SUCCESS"}]
        months = history_node(services)["partitionStats"]
        assert months["numMaterialized"] == months["numPartitions"] <= 6


def test_dg_dev_works_from_a_fresh_checkout_with_no_settings_and_no_warning_at_its_start(tmp_path):
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(PROJECT), str(checkout)], check=True)
    services = Services(checkout, {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}})
    try:
        services.port = 3917
        services.start("dg", "dev", "-p", str(services.port))
        wait_for(lambda: services.ask("{ version }"), "the webserver", services.logs)
        answer = services.ask(
            "query ($at: RepositorySelector!) { repositoryOrError(repositorySelector: $at) "
            "{ ... on Repository { schedules { name } } ... on PythonError { message } } }",
            at=LOCATION,
        )
        names = {schedule["name"] for schedule in answer["repositoryOrError"]["schedules"]}
        assert names == {"daily_sync", "hourly_sync", "monthly_reconcile"}
        said = (checkout / "dg.log").read_text()
        assert not re.search(r"warn|supersed|deprecat", said.partition("Launching Dagster services")[0], re.IGNORECASE)
    finally:
        services.kill("dg")
