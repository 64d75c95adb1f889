"""One data directory, one account: another one is refused before anything of it is read in or written to it."""

import dagster as dg
import pytest
from command_line import run_here
from tested_warehouse import KIND

from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.operators import make_operator

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*currently in beta"),
    pytest.mark.skipif(bool(KIND), reason="the command is told of a file"),
]
TABLES = ("coworker_invoice_histories", "coworker_invoice_history_versions", "windows", "rejected_records")


@pytest.fixture
def use(monkeypatch, tmp_path):
    """Settings of the command for a sandbox, always in one data directory."""

    def choose(running, base_url=None):
        values = {
            "BASE_URL": base_url or running.base_url,
            "USERNAME": running.username,
            "PASSWORD": running.password,
            "DATA_DIR": str(tmp_path / "data"),
            "HISTORY_START": "2024-01-01",
            "REQUESTS_PER_MINUTE": "0",
            "REQUESTS_PER_HOUR": "0",
            "REQUEST_SPACING_MS": "0",
        }
        for name, value in values.items():
            monkeypatch.setenv(f"NEXUDUS_{name}", value)
        # Dagster's record of runs on disk takes half the time of a small sync; another test looks at it.
        monkeypatch.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))

    return choose


@pytest.fixture
def other_operator():
    """Another account, whose Ids begin elsewhere, as they do where all accounts share one server."""
    operator = make_operator(size=300, months=6, seed=9)
    for invoice in operator.invoices:
        invoice.id += 5_000_000
    for entry in operator.entries:
        entry.id += 5_000_000
    return operator


def landed(settings):
    with open_warehouse(settings, read_only=True) as connection:
        return {table: connection.execute(f"select * from land.{table} order by all").fetchall() for table in TABLES}


def test_another_account_at_the_same_address_is_refused_and_nothing_of_it_lands(
    sandbox, other_operator, start_sandbox, settings_for, use
):
    use(sandbox)
    assert run_here("sync").code == 0
    before = landed(settings_for(sandbox))
    other = start_sandbox(other_operator)
    use(other)

    for verb in (["sync"], ["reconcile"], ["sync", "--new-address"]):
        ran = run_here(*verb)
        assert ran.code == 2
        assert "set NEXUDUS_DATA_DIR" in ran.err
        assert landed(settings_for(sandbox)) == before

    invoice_id = str(next(iter(other.store.invoices)))
    ran = run_here("record", "--invoice-id", invoice_id, "--name", "Called", "--description", "No answer.")
    assert ran.code == 2
    assert "set NEXUDUS_DATA_DIR" in ran.err
    assert other.store.changes["insert"] == 0

    use(sandbox)
    assert run_here("sync").code == 0


def test_another_address_is_refused_until_it_is_said_to_be_a_new_one(sandbox, settings_for, use):
    use(sandbox)
    assert run_here("sync").code == 0
    with open_warehouse(settings_for(sandbox)) as connection:
        connection.execute("update land.account set host = 'spaces.nexudus.com'")

    refused = run_here("sync")
    assert refused.code == 2
    assert "This warehouse holds the account at spaces.nexudus.com" in refused.err
    asked = sandbox.requests.data_count
    recorded = run_here("record", "--invoice-id", "1", "--name", "Called", "--description", "No answer.")
    assert recorded.code == 2
    assert sandbox.requests.data_count == asked

    assert run_here("sync", "--new-address").code == 0
    assert run_here("sync").code == 0


def test_a_sync_of_the_same_account_asks_nothing_more(sandbox, use):
    use(sandbox)
    run_here("sync")
    asked = sandbox.requests.data_count
    assert run_here("sync").code == 0
    lookups = [one for one in sandbox.requests.data()[asked:] if "CoworkerInvoiceHistory_CoworkerInvoice" in one.params]
    assert lookups == []
