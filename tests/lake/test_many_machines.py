"""The template of `deploy/many-machines`: Dagster on PostgreSQL, a container a run, and a lake that all write to."""

import os
import subprocess
from pathlib import Path

import lake_servers
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy" / "many-machines"
WITH_TEMPLATE = ("uv", "run", "--all-extras", "--with-requirements", str(DEPLOY / "requirements.txt"))
READ_BACK = """
from dagster import DagsterInstance

with DagsterInstance.get() as instance:
    print(type(instance.run_launcher).__name__, type(instance.run_storage).__name__, instance.telemetry_enabled)
    print(*(f"{run.job_name}: {run.status.value}" for run in instance.get_runs()))
"""


@pytest.mark.lake
def test_a_sync_onto_a_lake_is_recorded_in_postgresql(tmp_path, sandbox, lake_of):
    server = dict(part.split("=", 1) for part in lake_servers.new_database(f"dagster_{os.getpid()}").split())
    template = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
    template["storage"]["postgres"]["postgres_db"]["port"] = int(server["port"])
    home = tmp_path / "dagster-home"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(template), encoding="utf-8")
    lake = lake_of("postgres")
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_POSTGRES_HOST": server["host"],
        "DAGSTER_POSTGRES_USER": server["user"],
        "DAGSTER_POSTGRES_PASSWORD": server["password"],
        "DAGSTER_POSTGRES_DB": server["dbname"],
        "NEXUDUS_BASE_URL": sandbox.base_url,
        "NEXUDUS_USERNAME": "admin@example.com",
        "NEXUDUS_PASSWORD": "sandbox",
        "NEXUDUS_DATA_DIR": str(tmp_path / "data"),
        "NEXUDUS_WAREHOUSE": str(lake.warehouse),
        "NEXUDUS_LAKE_DATA_PATH": str(lake.lake_data_path),
        "NEXUDUS_REQUEST_SPACING_MS": "0",
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            [*WITH_TEMPLATE, *command], env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("nexudus-billing", "sync")

    assert run("python", "-c", READ_BACK).splitlines() == [
        "DockerRunLauncher PostgresRunStorage False",
        "sync: SUCCESS",
    ]
    assert (tmp_path / "data" / "analytics.duckdb").exists()
