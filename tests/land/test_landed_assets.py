"""The landing asset as Dagster runs it: a month at a time, and only what the ledger lacks."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from pipelines.land.landed_assets import HISTORIES, landed_assets
from pipelines.land.warehouse import open_warehouse


@pytest.fixture
def materialize(sandbox, settings_for):
    settings = settings_for(sandbox, page_size=200)
    assets = landed_assets(settings, lambda _: None)

    def run(month):
        """Materialize a month; the number of searches that it took, and the landed UpdatedOn."""
        asked = sandbox.requests.data_count
        result = dg.materialize(assets, partition_key=month, selection=[HISTORIES], raise_on_error=True)
        assert result.success
        with open_warehouse(settings) as connection:
            rows = connection.execute("select updated_on from land.coworker_invoice_histories order by id").fetchall()
        return sandbox.requests.data_count - asked, [at for (at,) in rows]

    return run


def test_a_partition_pulls_its_month_and_a_second_time_asks_almost_nothing(sandbox, materialize):
    start, end = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)
    expected = [row["UpdatedOn"] for row in sandbox.store.truth() if start <= row["UpdatedOn"] < end]

    first, landed = materialize("2025-03-01")
    assert [at for at in landed if at < end] == expected
    assert len(expected) > 100
    assert 1 < first <= 1.05 * -(-len(expected) // 200) + 2

    again, landed_again = materialize("2025-03-01")
    assert again <= 1
    assert landed_again == landed


def test_a_month_before_the_history_costs_one_question_and_then_none_worth_telling(materialize):
    first, landed = materialize("2019-02-01")
    again, _ = materialize("2019-02-01")

    assert (landed, first) == ([], 1)
    assert again <= 1
