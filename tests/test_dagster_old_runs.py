"""Old runs go, with their files; what tells which months are there stays."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from pipelines.land.landed_assets import HISTORIES
from pipelines.orchestrate.in_process import instance_template
from pipelines.orchestrate.old_runs import delete_old_runs


@dg.asset(key=HISTORIES, partitions_def=dg.StaticPartitionsDefinition(["2025-01-01", "2025-02-01"]))
def histories(): ...


def test_old_runs_go_save_the_newest_that_made_each_month(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_bytes(instance_template().read_bytes())
    with dg.DagsterInstance.get() as instance:
        months = ("2025-01-01", "2025-02-01", "2025-01-01")
        runs = [dg.materialize([histories], partition_key=month, instance=instance).run_id for month in months]

        assert delete_old_runs(instance, datetime.now(UTC) - timedelta(days=1)) == 0
        assert delete_old_runs(instance, datetime.now(UTC) + timedelta(days=1)) == 1

        assert {record.dagster_run.run_id for record in instance.get_run_records()} == set(runs[1:])
        assert instance.get_materialized_partitions(HISTORIES) == {"2025-01-01", "2025-02-01"}
    files = {path.stem for path in (tmp_path / "history" / "runs").glob("*.db")}
    assert files == {*runs[1:], "index"}
