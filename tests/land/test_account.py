"""One data directory, one account: another one is refused before anything of it is read in or written to it."""

import shutil
from functools import partial

import dagster as dg
import pytest
from command_line import run_here
from sandbox_settings import environment_for
from tested_warehouse import KIND

from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox

pytestmark = pytest.mark.skipif(bool(KIND), reason="the command is told of a file")
TABLES = ("coworker_invoice_histories", "coworker_invoice_history_versions", "windows", "rejected_records")


def choose(patch, running, folder):
    """Settings of the command for a sandbox and a folder."""
    for name, value in environment_for(running, folder / "data").items():
        patch.setenv(name, value)
    patch.setenv("NEXUDUS_HISTORY_START", "2024-01-01")
    # Dagster's record of runs on disk takes half the time of a small sync; another test looks at it.
    patch.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
    patch.setenv("DAGSTER_HOME", str(folder / "dagster"))


@pytest.fixture
def use(monkeypatch, tmp_path):
    """Chooses a sandbox, always in one data directory."""
    return partial(choose, monkeypatch, folder=tmp_path)


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    """A sandbox, and the data directory of a sync with it."""
    folder = tmp_path_factory.mktemp("synced")
    with running_sandbox(make_operator(size=300, months=3)) as running, pytest.MonkeyPatch.context() as patch:
        running.clock.freeze(running.store.until)
        choose(patch, running, folder)
        assert run_here("sync").code == 0
        patch.undo()
        yield running, folder / "data"


@pytest.fixture
def sandbox(synced, use, tmp_path):
    """The sandbox, chosen, with a copy of that data directory."""
    running, data_dir = synced
    shutil.copytree(data_dir, tmp_path / "data")
    use(running)
    return running


@pytest.fixture
def other_operator():
    """Another account, whose Ids begin elsewhere, as they do where all accounts share one server."""
    operator = make_operator(size=300, months=3, seed=9)
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


def test_another_address_is_refused_until_it_is_said_to_be_a_new_one(sandbox, settings_for):
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


def test_a_sync_of_the_same_account_asks_nothing_more(sandbox):
    asked = sandbox.requests.data_count
    assert run_here("sync").code == 0
    lookups = [one for one in sandbox.requests.data()[asked:] if "CoworkerInvoiceHistory_CoworkerInvoice" in one.params]
    assert lookups == []
