"""The upkeep of a lake runs by the clock, and there is none where the warehouse is a file."""

import dagster as dg
import pytest
from wire_records import ANSWERED_AT, wire

from pipelines.definitions import build_definitions
from pipelines.extract.histories import HISTORIES
from pipelines.land.merge import Page, land_pages
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:.*currently in preview")


def schedules(settings):
    return {schedule.name: schedule for schedule in build_definitions(settings).schedules}


def test_the_job_of_the_schedule_leaves_one_file_of_many(lake_of):
    settings = lake_of("lake")
    with open_warehouse(settings) as connection:
        for number in range(3):
            with warehouse_of(settings).writing_alone(connection):
                records = [HISTORIES.contract.read(wire(Id=100 * number + i)) for i in range(60)]
                land_pages(connection, HISTORIES, [Page(records, [], ANSWERED_AT)])

    with dg.DagsterInstance.ephemeral() as instance:
        assert schedules(settings)["lake_upkeep"].job.execute_in_process(instance=instance).success

    with open_warehouse(settings) as connection:
        files = dict(
            connection.execute("select table_name, file_count from ducklake_table_info('warehouse')").fetchall()
        )
        assert files["coworker_invoice_histories"] == 1
        assert connection.execute("select count(*) from land.coworker_invoice_histories").fetchone() == (180,)


def test_a_file_needs_no_upkeep(tmp_path):
    assert "lake_upkeep" not in schedules(Settings(_env_file=None, data_dir=tmp_path))
