"""What makes the figures be built again, and what does not."""

import re
from datetime import datetime, timedelta

import pytest
from given import NO_FUNDS, START, SUCCESS, close_until, entry, land, model, rows

from pipelines.model import inputs
from pipelines.model.inputs import are_built_from, inputs_of_run, inputs_version, remember_inputs
from pipelines.model.sql_models import load_models
from pipelines.settings import Settings

SETTINGS = Settings(_env_file=None)
ROWS = "land.coworker_invoice_histories"
CHANGES = {
    "other content": f"update {ROWS} set content_hash = 'x' where id = 1",
    "a deletion": f"update {ROWS} set deleted_at = '2025-03-09' where id = 1",
    "a row twice": f"insert into {ROWS} from {ROWS} where id = 1",
    "a row less": f"delete from {ROWS} where id = 1",
    "another observation of the invoice is its newest": f"update {ROWS} set seen_at = '2025-04-01' where id = 1",
    "a rejected record": "insert into land.rejected_records (reason) values ('why')",
    "a name": "update land.business_names set business_name = 'Dock'",
    "an entry recorded": "insert into record.outbox (reference) values ('r')",
    "an invoice": "insert into land.coworker_invoices (id, content_hash) values (1, 'x')",
    "the next day": "update land.windows set to_at = to_at + interval 1 day",
    "a gap": "insert into land.windows (entity, axis, from_at, to_at) values "
    "('CoworkerInvoiceHistory', 'UpdatedOn', '2025-03-04 10:00:00+00', '2025-03-04 11:00:00+00')",
}
NO_CHANGES = {
    "the newest observation again": f"update {ROWS} set seen_at = seen_at + interval 1 hour where id = 2",
    "all observed again": f"update {ROWS} set seen_at = '2025-04-01'",
    "an hour later": "update land.windows set to_at = to_at + interval 1 hour",
    "another run": "insert into land.runs (run_id) values ('another')",
    "names asked for again": "update land.business_names set asked_at = now()",
}


PREVIOUS = "select * exclude (rules_version) from model.period_payment_failure_rates order by all"


@pytest.fixture
def filled(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS, content_hash="a"),
        entry(2, 1, SUCCESS, 1, content_hash="b"),
        entry(3, 2, NO_FUNDS, content_hash="c"),
    )
    close_until(warehouse, START + timedelta(days=1))
    warehouse.execute("insert into land.business_names (business_id, business_name) values (7, 'Loft')")
    return warehouse


@pytest.mark.parametrize("name", CHANGES)
def test_what_can_change_a_figure_changes_the_version(filled, name):
    before = inputs_version(filled, SETTINGS)

    filled.execute(CHANGES[name])

    assert inputs_version(filled, SETTINGS) != before


@pytest.mark.parametrize("name", NO_CHANGES)
def test_what_can_change_none_does_not(filled, name):
    before = inputs_version(filled, SETTINGS)

    filled.execute(NO_CHANGES[name])

    assert inputs_version(filled, SETTINGS) == before


def test_a_setting_and_a_line_of_sql_change_it(filled, tmp_path, monkeypatch):
    before = inputs_version(filled, SETTINGS)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "one.sql").write_text("select 1", encoding="utf-8")

    assert inputs_version(filled, Settings(_env_file=None, reporting_timezone="Asia/Tokyo")) != before
    assert inputs_version(filled, Settings(_env_file=None, publish_personal_data=True)) != before
    monkeypatch.setattr(inputs, "sql_folder", lambda stage: tmp_path / stage)
    of_one = inputs_version(filled, SETTINGS)
    (tmp_path / "model" / "one.sql").write_text("select 2", encoding="utf-8")
    assert len({before, of_one, inputs_version(filled, SETTINGS)}) == 3


@pytest.mark.parametrize(("payment_at", "stays"), [("09:30", False), ("11:30", True)])
def test_an_hour_later_the_figures_stay_unless_a_payment_comes_into_the_comparison_with_the_month_before(
    warehouse, payment_at, stays
):
    before = datetime.fromisoformat(f"2025-02-04T{payment_at}:00+00:00")
    land(warehouse, entry(1, 1, NO_FUNDS, before, content_hash="a"), entry(2, 2, NO_FUNDS, content_hash="b"))
    land(warehouse, entry(3, 3, SUCCESS, before - timedelta(days=60), content_hash="c"))
    close_until(warehouse, START + timedelta(days=1))  # nine in the morning of the fourth of March
    model(warehouse)
    remember_inputs(warehouse, inputs_version(warehouse, SETTINGS), "a run")

    warehouse.execute("update land.windows set to_at = to_at + interval 1 hour")

    assert are_built_from(warehouse, inputs_version(warehouse, SETTINGS)) is stays
    held = rows(warehouse, PREVIOUS)
    model(warehouse)
    assert (rows(warehouse, PREVIOUS) == held) is stays


def test_only_the_periods_go_by_the_hour_of_the_newest_data():
    found = {model.name for model in load_models() if re.search(r"horizon\.as_of_at", model.sql)}

    assert found <= {"reporting_periods"}, "model/inputs.py has to know of it"


def test_figures_that_another_run_has_begun_to_build_are_not_those_of_this_one(filled):
    assert not are_built_from(filled, "a version")
    model(filled)

    remember_inputs(filled, "a version", "this run")
    assert are_built_from(filled, "a version")
    assert inputs_of_run(filled, "this run") == "a version"

    remember_inputs(filled, "another", "another run")
    assert not are_built_from(filled, "a version")
    assert inputs_of_run(filled, "this run") is None
