"""A schedule's tick and the run that comes of it: what it covers, how it heals, and what it does when it cannot."""

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from sandbox_settings import unpaced_settings

from pipelines.definitions import build_definitions
from pipelines.extract.client import NexudusClient
from pipelines.land.freshness import CHECK_NAME
from pipelines.land.landed_assets import HISTORIES
from pipelines.land.retries import RETRY_TAG
from pipelines.land.warehouse import open_warehouse
from pipelines.orchestrate.schedules import months_to_cover
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:.*currently in (beta|preview)")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)


def month(at):
    return f"{at:%Y-%m-01}"


@contextmanager
def a_sandbox():
    # What is younger than the settling time is not read yet, so the account ends before that.
    with running_sandbox(make_operator(size=1200, months=6, until=NOW - timedelta(minutes=10))) as running:
        running.clock.freeze(NOW)
        yield running


def settings_of(running, folder):
    return unpaced_settings(running, folder / "data", history_start="2024-01-01")


def run_tick(settings, instance, name, only=None, **tags):
    """Evaluate a schedule and run what it asks for, or some assets of it, here and now."""
    defs = build_definitions(settings)
    schedule = next(one for one in defs.get_repository_def().schedule_defs if one.name == name)
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime.now(UTC)) as context:
        (asked,) = schedule.evaluate_tick(context).run_requests
    result = defs.resolve_job_def(name).execute_in_process(
        run_config=asked.run_config,
        tags={**asked.tags, **tags},
        asset_selection=only,
        instance=instance,
        raise_on_error=False,
    )
    return asked, result


@dataclass(frozen=True)
class Synced:
    """What one whole daily tick of a new installation did."""

    sandbox: Sandbox
    settings: Settings
    instance: dg.DagsterInstance
    asked: dg.RunRequest
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    with (
        a_sandbox() as running,
        dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance,
    ):
        settings = settings_of(running, tmp_path_factory.mktemp("daily"))
        yield Synced(running, settings, instance, *run_tick(settings, instance, "daily_sync"))


@pytest.fixture
def sandbox():
    with a_sandbox() as running:
        yield running


@pytest.fixture
def settings(sandbox, tmp_path):
    return settings_of(sandbox, tmp_path)


@pytest.fixture
def no_waiting(monkeypatch):
    """A client that only pretends to wait between its own attempts."""
    now = datetime.now(UTC)

    def sleep(seconds):
        nonlocal now
        now += timedelta(seconds=seconds)

    def client(settings, **options):
        return NexudusClient(settings, **options | {"clock": lambda: now, "sleep": sleep})

    monkeypatch.setattr("pipelines.land.landed_assets.NexudusClient", client)


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def tick(settings, instance):
    """A tick of the hourly schedule, and of its run the landing, which is what can fail."""
    return lambda **tags: run_tick(settings, instance, "hourly_sync", [HISTORIES], **tags)


def shown(synced):
    return synced.instance.get_materialized_partitions(HISTORIES)


def covered(asked):
    return (
        asked.tags["dagster/asset_partition_range_start"],
        asked.tags["dagster/asset_partition_range_end"],
    )


def landed_ids(settings):
    with open_warehouse(settings, read_only=True) as connection:
        return {row[0] for row in connection.execute("select id from land.coworker_invoice_histories").fetchall()}


def forget(settings, start, end):
    """An outage: the ledger lacks these minutes, and the table what they held."""
    with open_warehouse(settings) as connection:
        connection.execute("update land.windows set to_at = $1 where axis = 'UpdatedOn' and to_at > $1", [start])
        connection.execute("delete from land.coworker_invoice_histories where updated_on >= $1", [start])
    assert end > start


def test_the_first_tick_pulls_all_history_compares_and_publishes(synced):
    assert synced.result.success
    assert covered(synced.asked) == ("2024-01-01", month(NOW))
    assert synced.asked.run_config["ops"]["land__reconciliations"]["config"]["days"] == 90
    assert landed_ids(synced.settings) == {row["Id"] for row in synced.sandbox.store.truth()}
    assert synced.sandbox.requests.data_count <= 12
    with duckdb.connect(str(synced.settings.analytics_path), read_only=True) as published:
        assert published.execute("select sum(attempt_count) from monthly_payment_failure_rates").fetchone()[0] > 100


def test_the_next_tick_covers_the_newest_months_only(synced):
    first, last = months_to_cover(synced.settings, shown(synced))

    assert month(NOW - timedelta(days=3)) <= first <= last == month(NOW)


def test_a_tick_after_an_outage_of_months_covers_and_heals_them(settings, sandbox, tick):
    tick()
    outage = NOW - timedelta(days=100)
    forget(settings, outage, NOW)

    asked, result = tick()

    assert result.success
    assert covered(asked)[0] <= month(outage)
    assert landed_ids(settings) == {row["Id"] for row in sandbox.store.truth()}


def test_while_a_writer_holds_the_warehouse_the_published_ledger_tells_what_to_cover(synced, monkeypatch):
    monkeypatch.setattr("pipelines.orchestrate.schedules._WAREHOUSE_WAIT_SECONDS", 0.1)

    with open_warehouse(synced.settings):
        assert months_to_cover(synced.settings, shown(synced))[0] >= month(NOW - timedelta(days=3))


def test_a_tick_that_can_read_no_ledger_covers_all_history(settings):
    settings.data_dir.mkdir()
    (settings.data_dir / "warehouse.duckdb").write_bytes(b"no database")

    assert months_to_cover(settings, set()) == ("2024-01-01", month(NOW))


def test_an_unreachable_api_fails_the_run_once_after_its_retries_and_the_next_tick_heals(
    settings,
    sandbox,
    tick,
    instance,
    no_waiting,
):
    sandbox.knobs.error_503_rate = 1.0

    _, result = tick(**{RETRY_TAG: "0 0"})

    assert not result.success
    attempts = [event for event in result.all_events if event.event_type_value == "STEP_RESTARTED"]
    failures = [event for event in result.all_events if event.is_step_failure]
    assert (len(attempts), len(failures)) == (2, 1)
    assert "503" in failures[0].event_specific_data.error.to_string()
    assert instance.get_runs_count() == 1

    sandbox.knobs.error_503_rate = 0.0
    _, healed = tick()
    assert healed.success
    assert landed_ids(settings) == {row["Id"] for row in sandbox.store.truth()}


def test_what_waiting_cannot_mend_is_not_tried_again(settings, sandbox, tick):
    sandbox.knobs.roles = ""

    _, result = tick(**{RETRY_TAG: "0 0"})

    assert not result.success
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_freshness_goes_by_the_newest_data_so_a_backfill_of_an_old_month_does_not_mend_it(settings, tick, instance):
    tick()
    forget(settings, NOW - timedelta(days=10), NOW)
    old = month(NOW - timedelta(days=70))

    result = (
        build_definitions(settings)
        .resolve_job_def("sync")
        .execute_in_process(
            instance=instance,
            asset_selection=[HISTORIES],
            tags={"dagster/asset_partition_range_start": old, "dagster/asset_partition_range_end": old},
        )
    )

    assert result.success
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == CHECK_NAME]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert check.metadata["age_hours"].value == pytest.approx(240, abs=1)


def test_a_materialisation_tells_what_was_pulled_what_it_cost_and_what_came_of_it(synced):
    def told(*path):
        event = synced.instance.get_latest_materialization_event(dg.AssetKey(path))
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}

    landed = told(*HISTORIES.path)
    assert (landed["rows_new"], landed["rows_rejected"], landed["retries"]) == (landed["dagster/row_count"], 0, 0)
    assert {"pulled", "requests", "waited_seconds", "covered_until", "gaps", "median_lateness_minutes"} <= set(landed)
    rates = told("model", "monthly_payment_failure_rates")
    heading, _, *months = rates["trend"].splitlines()
    assert "ratio" in heading
    assert len(months) == 6
    assert rates["dagster/column_schema"].columns[0].description
    published = told("publish", "analytics")
    assert {"path", "bytes", "sha256", "rows"} <= set(published)
    assert Path(published["path"]).stat().st_size == published["bytes"]


def launched(settings, instance, config, **tags):
    """The landing of a `sync` that a person launches."""
    job = build_definitions(settings).resolve_job_def("sync")
    ops = {"land__coworker_invoice_histories": {"config": config}}
    asked = {"run_config": {"ops": ops}, "tags": tags, "asset_selection": [HISTORIES]}
    return job.execute_in_process(instance=instance, raise_on_error=False, **asked)


def test_a_sync_that_is_launched_without_a_partition_pulls_what_all_of_history_lacks(settings, instance, sandbox):
    assert launched(settings, instance, {}).success

    settled = {row["Id"] for row in sandbox.store.truth() if row["UpdatedOn"] < NOW - timedelta(minutes=5)}
    assert landed_ids(settings) >= settled


def test_a_repull_of_days_outside_the_runs_partition_repulls_them(settings, instance, sandbox, tick):
    tick()
    old = min(sandbox.store.by_updated_on.items, key=lambda entry: entry.updated_on)
    day = datetime.fromtimestamp(old.updated_on, UTC).date()
    sandbox.store.update(old.id, description="FAILED: Your card was declined.", updated_on=old.updated_on)

    days = {"repull_from": f"{day}", "repull_to": f"{day + timedelta(days=1)}"}
    assert launched(settings, instance, days, **{"dagster/partition": month(NOW)}).success

    with open_warehouse(settings, read_only=True) as connection:
        row = connection.execute("select description from land.coworker_invoice_histories where id = $1", [old.id])
        assert row.fetchall() == [("FAILED: Your card was declined.",)]
