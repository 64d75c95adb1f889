"""What Dagster is shown: the names others rely on, and what a person finds behind each."""

import os
import re
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.autodiscovery import loadable_targets_from_python_file

from pipelines.definitions import WAREHOUSE_POOL, build_definitions, definitions
from pipelines.errors import WrongUseError
from pipelines.orchestrate.in_process import instance_template
from pipelines.settings import Settings, load_settings

pytestmark = pytest.mark.filterwarnings("ignore:.*currently in (beta|preview)")
PROJECT = Path(__file__).parents[1]
JOBS = {"sync", "reconcile", "daily_sync", "hourly_sync", "monthly_reconcile", "escalate", "weekly_report"}
SENSORS = {"heartbeat", "failed_run_alerts", "failed_check_alerts", "data_freshness", "incident_alerts"}
KEYS = {
    "extract": {"extract/coworkerinvoicehistories"},
    "land": {"land/business_names", "land/coworker_invoice_histories", "land/reconciliations"},
    "model": {
        "model/begun_payment_failure_rates",
        "model/currency_recovery_cohorts",
        "model/daily_payment_failure_rates",
        "model/daily_problem_entries",
        "model/entry_rules",
        "model/entry_texts",
        "model/excluded_attempts",
        "model/failed_invoice_recoveries",
        "model/history_entries",
        "model/horizon",
        "model/incidents",
        "model/inputs",
        "model/invoices",
        "model/monthly_chargeback_rates",
        "model/monthly_payment_failure_rates",
        "model/outcome_maturity",
        "model/payment_attempts",
        "model/pending_invoices",
        "model/period_failure_reasons",
        "model/period_payment_failure_rates",
        "model/problem_entry_trends",
        "model/range_days",
        "model/range_failure_rates",
        "model/repeated_reports",
        "model/recovery_cohorts",
        "model/recovery_curves",
        "model/reporting_periods",
        "model/scope_recovery_cohorts",
        "model/unrecognised_entries",
        "model/wording_coverage",
        "model/wording_days",
    },
    "publish": {"publish/analytics", "publish/parquet"},
    "record": {"record/outbox"},
    "show": {"show/report"},
}


@pytest.fixture(scope="module")
def defs():
    return build_definitions(Settings(_env_file=None))


@pytest.fixture(scope="module")
def specs(defs):
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No settings at all, and a folder without a .env file."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    yield monkeypatch
    os.umask(before)


def test_the_assets_are_these_in_these_groups(specs):
    groups = {}
    for key, spec in specs.items():
        groups.setdefault(spec.group_name, set()).add(key)

    # What another part adds to a stage is welcome; what others rely on must stay.
    assert {group: keys & groups[group] for group, keys in KEYS.items()} == KEYS
    assert set(groups) == set(KEYS)


def test_the_jobs_schedules_and_sensors_are_these(defs):
    repository = defs.get_repository_def()

    assert {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"} == JOBS
    assert {sensor.name for sensor in repository.sensor_defs} == SENSORS
    assert {(one.name, one.cron_schedule, one.default_status.value) for one in repository.schedule_defs} == {
        ("daily_sync", "30 6 * * *", "RUNNING"),
        ("hourly_sync", "10 * * * *", "STOPPED"),
        ("monthly_reconcile", "0 3 1 * *", "RUNNING"),
        ("weekly_report", "0 8 * * 1", "STOPPED"),
    }


def test_schedules_keep_the_hours_of_the_reporting_zone():
    defs = build_definitions(Settings(_env_file=None, reporting_timezone="Europe/London", daily_sync_cron="0 7 * * 1"))

    schedules = {one.name: one for one in defs.get_repository_def().schedule_defs}
    assert {one.execution_timezone for one in schedules.values()} == {"Europe/London"}
    assert schedules["daily_sync"].cron_schedule == "0 7 * * 1"


def test_each_job_says_what_it_pulls_and_how_far_back_it_compares(defs):
    def keys(job):
        return {key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.selected_asset_keys}

    assert keys("daily_sync") == keys("monthly_reconcile") == keys("reconcile")
    assert keys("daily_sync") - keys("hourly_sync") == {"land/reconciliations"}
    assert keys("hourly_sync") == keys("sync")
    config = defs.resolve_job_def("daily_sync").get_run_config_for_partition_key("2024-01-01")
    assert config["ops"]["land__reconciliations"]["config"]["days"] == 90


def test_a_person_finds_owner_code_and_meaning_behind_every_asset(specs):
    for key, spec in specs.items():
        assert spec.description, key
        assert spec.kinds, key
        if spec.group_name != "extract":
            assert spec.owners, key
            references = spec.metadata["dagster/code_references"].code_references
            assert all(Path(reference.file_path).exists() for reference in references), key
            if spec.group_name == "model" and key not in {"model/entry_rules", "model/inputs"}:
                assert references[0].file_path.endswith(f"sql/{key}.sql")


def test_history_is_a_month_a_partition_the_current_one_included_and_a_backfill_is_one_run(defs):
    asset = defs.resolve_assets_def(["land", "coworker_invoice_histories"])

    assert isinstance(asset.partitions_def, dg.MonthlyPartitionsDefinition)
    assert asset.partitions_def.end_offset == 1
    assert asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_every_step_that_opens_the_warehouse_waits_in_its_pool(defs):
    graph = defs.resolve_asset_graph()
    pools = {key.to_user_string(): graph.get(key).pools for key in graph.executable_asset_keys}

    # These read the published file only.
    assert {key for key, pool in pools.items() if pool != {WAREHOUSE_POOL}} == {"publish/parquet", "show/report"}


def test_definitions_load_with_no_environment_and_make_nothing(bare, tmp_path):
    assert definitions().get_repository_def().has_job("daily_sync")
    assert list(tmp_path.iterdir()) == []
    assert os.umask(0o022) == 0o077  # whatever the process that loaded them writes is private


def test_dagster_s_home_is_closed_to_others_unless_it_was_opened_to_a_group(bare, tmp_path):
    modes = {}
    for mode in (0o755, 0o2750):
        home = tmp_path / f"{mode:o}"
        home.mkdir()
        home.chmod(mode)
        bare.setenv("DAGSTER_HOME", str(home))
        definitions()
        modes[mode] = home.stat().st_mode & 0o7777

    assert modes == {0o755: 0o700, 0o2750: 0o2750}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NEXUDUS_DAILY_SYNC_CRON", "6:30"),
        ("NEXUDUS_HOURLY_SYNC_CRON", "61 * * * *"),
        ("NEXUDUS_MONTHLY_RECONCILE_CRON", "monthly"),
        ("NEXUDUS_REPORTING_TIMEZONE", "Europe/Londn"),
        ("NEXUDUS_HISTORY_START", "2012-13-01"),
        ("NEXUDUS_HISTORY_START", "2100-01-01"),
        ("NEXUDUS_ALERT_WEBHOOK_URL", "hooks.slack.com/services/canary"),
    ],
)
def test_a_bad_setting_fails_at_load_with_a_sentence_that_names_it(bare, variable, value):
    bare.setenv(variable, value)

    with pytest.raises(WrongUseError, match=variable) as failure:
        definitions()

    assert "\n" not in str(failure.value)
    assert "canary" not in str(failure.value)


def test_another_project_mounts_them_beside_assets_and_jobs_of_the_same_names():
    @dg.asset(key=["model", "invoices"])
    def invoices(): ...

    own_job = dg.define_asset_job("daily_sync", selection=dg.AssetSelection.assets(["model", "invoices"]))
    ours = build_definitions(Settings(_env_file=None), key_prefix="nexudus")

    merged = dg.Definitions.merge(ours, dg.Definitions(assets=[invoices], jobs=[own_job]))

    job = merged.resolve_job_def("nexudus_daily_sync")
    assert all(key.path[0] == "nexudus" for key in job.asset_layer.selected_asset_keys)
    repository = merged.get_repository_def()
    assert {f"nexudus_{name}" for name in JOBS} | {"daily_sync"} <= {each.name for each in repository.get_all_jobs()}
    rates = merged.resolve_asset_graph().get(dg.AssetKey(["nexudus", "model", "payment_attempts"]))
    assert dg.AssetKey(["nexudus", "model", "history_entries"]) in rates.parent_keys
    assert {key.path[0] for key in rates.parent_keys} == {"nexudus"}


def test_the_documented_way_to_mount_them_loads_as_a_code_location(tmp_path):
    text = (PROJECT / "docs" / "running.md").read_text(encoding="utf-8")
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "build_definitions" in code]
    (tmp_path / "theirs.py").write_text(example, encoding="utf-8")

    (loaded,) = loadable_targets_from_python_file(str(tmp_path / "theirs.py"), str(tmp_path))

    assert loaded.target_definition.get_repository_def().has_job("nexudus_daily_sync")


def test_the_instance_on_one_machine_has_one_writer_no_telemetry_and_retries_runs_that_died(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_bytes(instance_template().read_bytes())

    with dg.DagsterInstance.get() as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        assert instance.get_concurrency_config().pool_config.pool_granularity.value == "op"
        assert not instance.telemetry_enabled
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 1)
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_launcher.supports_check_run_worker_health


def test_settings_say_when_the_jobs_run(bare):
    bare.setenv("NEXUDUS_DAILY_SYNC_CRON", "15 5 * * *")
    assert load_settings().daily_sync_cron == "15 5 * * *"
