"""In Dagster: an asset a model, one blocking check of its promises, and nothing downstream of a broken one."""

from contextlib import nullcontext

import dagster as dg
import pytest
from given import NO_FUNDS, START, entry, land

from pipelines.model.building import promises_of
from pipelines.model.model_assets import asset_key, model_assets
from pipelines.model.sql_models import load_models
from pipelines.settings import Settings

SETTINGS = Settings(_env_file=None)
ATTEMPTS = asset_key("model.payment_attempts")


@pytest.fixture
def assets(warehouse):
    return model_assets(SETTINGS, lambda _: nullcontext(warehouse))


def test_defining_the_assets_opens_no_warehouse():
    def refuse(_):
        raise AssertionError

    specs = {spec.key: spec for asset in model_assets(SETTINGS, refuse) for spec in asset.specs}
    attempts = specs[ATTEMPTS]
    assert {dep.asset_key for dep in attempts.deps} == {
        asset_key(f"model.{name}") for name in ("attempt_amounts", "entry_rules", "history_entries", "repeated_reports")
    }
    assert attempts.group_name == "model"
    assert attempts.kinds == {"duckdb", "sql"}
    assert attempts.description.startswith("One row per attempt")
    columns = attempts.metadata["dagster/column_schema"].columns
    assert columns[0].name == "entry_id"
    assert columns[0].description == "Id of the history entry that reports the attempt"


def test_the_assets_run_with_their_checks_and_say_what_they_made(warehouse, assets):
    land(warehouse, entry(1, 1, NO_FUNDS))
    result = dg.materialize(assets)
    assert result.success
    evaluations = result.get_asset_check_evaluations()
    assert all(each.passed and (each.blocking or each.check_name == "words_are_understood") for each in evaluations)
    assert {spec.key for asset in assets for spec in asset.check_specs} == {
        each.asset_check_key for each in evaluations
    }
    made = next(one for one in result.asset_materializations_for_node("figures") if one.asset_key == ATTEMPTS)
    assert made.metadata["dagster/row_count"].value == 1
    types = {column.name: column.type for column in made.metadata["dagster/column_schema"].schema.columns}
    assert types["invoice_amount"] == "DECIMAL(18,4)"


def test_a_broken_promise_shows_its_rows_and_nothing_downstream_runs(warehouse, assets):
    land(warehouse, entry(1, None, NO_FUNDS), entry(1, None, NO_FUNDS))
    published = []

    @dg.asset(deps=[asset_key("model.monthly_payment_failure_rates")])
    def publish():
        published.append(True)

    result = dg.materialize([*assets, publish], raise_on_error=False)
    assert not result.success
    assert published == []
    (check,) = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert check.asset_key == asset_key("model.history_entries")
    assert check.description == "unique_entry_id: 1 rows break it"
    (broken,) = check.metadata["broken_promises"].data
    assert (broken["promise"], broken["row_count"]) == ("unique_entry_id", 1)
    assert broken["first_rows"] == [{"entry_id": "1", "row_count": "2"}]


def test_a_check_names_every_promise_that_it_looks_after():
    def refuse(_):
        raise AssertionError

    specs = [spec for asset in model_assets(SETTINGS, refuse) for spec in asset.check_specs]
    checks = {spec.asset_key: spec for spec in specs if spec.name == "promises_hold"}
    models = load_models()
    assert set(checks) == {asset_key(model.table) for model in models}
    for model in models:
        for name, sentence in promises_of(model).items():
            assert f"- `{name}`: {sentence}" in checks[asset_key(model.table)].description


def test_a_model_hands_over_which_of_its_promises_broke(warehouse):
    land(warehouse, entry(1, None, NO_FUNDS), entry(1, None, NO_FUNDS))
    told = []

    dg.materialize(model_assets(SETTINGS, lambda _: nullcontext(warehouse), tell=told.append), raise_on_error=False)

    ((table, broken),) = [(built.model.table, built.broken) for built in told if built.broken]
    assert (table, [result.name for result in broken]) == ("model.history_entries", ["unique_entry_id"])


def test_words_that_are_not_understood_are_a_warning_that_blocks_nothing(warehouse, assets):
    land(warehouse, *(entry(n, n, "Platba Novák přijata.", name="Ada", paid_on=START, business=7) for n in range(20)))
    result = dg.materialize(assets)
    assert result.success
    (found,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "words_are_understood"]
    assert (found.passed, found.blocking, found.severity) == (False, False, dg.AssetCheckSeverity.WARN)
    assert found.description.startswith("Business 7 has no failure rates: 20 of 20")
    assert "(20 times)" in found.description
    assert "nexudus-billing rules explain" in found.description
    assert "Novák" not in found.description
    assert "Ada" not in found.description
