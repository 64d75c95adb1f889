"""In Dagster: an asset a model, a blocking check a promise, and nothing downstream of a broken one."""

from contextlib import nullcontext

import dagster as dg
import pytest
from given import NO_FUNDS, entry, land

from pipelines.model.model_assets import asset_key, model_assets
from pipelines.settings import Settings

SETTINGS = Settings(_env_file=None)


@pytest.fixture
def assets(warehouse):
    return model_assets(SETTINGS, lambda _: nullcontext(warehouse))


def test_defining_the_assets_opens_no_warehouse():
    def refuse(_):
        raise AssertionError

    specs = {spec.key: spec for asset in model_assets(SETTINGS, refuse) for spec in asset.specs}
    attempts = specs[asset_key("model.payment_attempts")]
    assert {dep.asset_key for dep in attempts.deps} == {asset_key("model.history_entries"), asset_key("model.invoices")}
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
    assert all(evaluation.passed and evaluation.blocking for evaluation in evaluations)
    assert {spec.key for asset in assets for spec in asset.check_specs} == {
        each.asset_check_key for each in evaluations
    }
    (made,) = result.asset_materializations_for_node("model__payment_attempts")
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
    (broken,) = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert (broken.asset_key, broken.check_name) == (asset_key("model.history_entries"), "unique_entry_id")
    assert broken.metadata["first_offending_rows"].data == [{"entry_id": "1", "row_count": "2"}]
