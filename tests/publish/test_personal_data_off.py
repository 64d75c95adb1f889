"""An account full of names, through every verb: with personal data off, only the warehouse holds what people wrote."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from command_line import Ran, run_here
from landed_canaries import WRITTEN
from sandbox_settings import environment_for
from streamlit.testing.v1 import AppTest
from test_personal_data import contents, written_below

from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.show import dashboard_app

UNTIL = datetime(2025, 6, 30, 12, tzinfo=UTC)
VIEWS = ("overview", "trends", "reasons", "recovery", "entries", "health")


class Account:
    """A sandbox full of names, and a data directory that syncs with it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        invoices = [entry.invoice for entry in sandbox.store.by_id.items]
        for number, (_, text) in enumerate(WRITTEN.values()):
            for name, description in ((text, "FAILED: Insufficient funds."), ("Payment Result", text)):
                sandbox.store.insert(invoices[number].id, name, description, is_problem=number % 2 == 0)
        members = {invoice.member for invoice in invoices}
        self.secrets = {secret for secret, _ in WRITTEN.values()} | {one.email for one in members}
        self.secrets |= {one.full_name for one in members if " " in one.full_name}

    def run(self, *arguments: str, personal_data: bool) -> Ran:
        return run_here(
            *arguments,
            folder=self.folder,
            NEXUDUS_PUBLISH_PERSONAL_DATA=personal_data,
            **environment_for(self.sandbox, self.folder / "data"),
        )

    def secrets_in(self, text: str) -> list[str]:
        text = text.lower()
        return sorted(secret for secret in self.secrets if secret.lower() in text)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running_sandbox(make_operator(size=400, months=2, until=UNTIL)) as sandbox:
        sandbox.clock.freeze(UNTIL)
        made = Account(sandbox, tmp_path_factory.mktemp("off"))
        sandbox.clock.advance(3600)
        yield made


@pytest.fixture(scope="module")
def switched_off(account: Account) -> list[Ran]:
    """What the verbs said with personal data off, after it had been on."""
    for verb in (["sync"], ["export", "history_entries"]):
        assert account.run(*verb, personal_data=True).code == 0
    assert len(account.secrets_in("".join(map(contents, account.folder.rglob("*.xlsx"))))) > len(WRITTEN)
    verbs = (["--verbose", "sync"], ["escalate"], ["status", "--json"], ["doctor"])
    said = [account.run(*verb, personal_data=False) for verb in verbs]
    with duckdb.connect(str(account.folder / "data" / "analytics.duckdb"), read_only=True) as published:
        query = "select business_id, currency_code, strftime(month_start_date, '%Y-%m')"
        query += " from monthly_payment_failure_rates limit 2"
        told = published.execute(query).fetchall()
    for business, currency, month in told:
        said.append(account.run("explain", str(business), currency, month, personal_data=False))
    return said


def test_no_verb_says_any_of_it(account, switched_off):
    assert [ran.err for ran in switched_off if ran.code] == []
    assert account.secrets_in("".join(ran.out + ran.err for ran in switched_off)) == []


def test_the_warehouse_alone_has_it_and_no_file_from_before(account, switched_off):
    held = account.folder / "data" / "warehouse.duckdb"
    with duckdb.connect(str(held), read_only=True) as warehouse:
        landed = str(warehouse.execute("select name, description from land.coworker_invoice_histories").fetchall())
    assert len(account.secrets_in(landed)) > len(WRITTEN) / 2

    files = [path for path in written_below(account.folder) if not path.name.startswith(held.name)]

    assert {"analytics.duckdb", "analytics_report.html"} <= {path.name for path in files}
    assert any("dagster" in path.parts for path in files)
    assert [(str(path), found) for path in files if (found := account.secrets_in(contents(path)))] == []


@pytest.mark.parametrize("view", VIEWS)
def test_no_screen_shows_any_of_it(account, switched_off, monkeypatch, view):
    monkeypatch.setenv("NEXUDUS_ANALYTICS", str(account.folder / "data" / "analytics.duckdb"))
    app = AppTest.from_file(dashboard_app.__file__, default_timeout=30)
    app.query_params["view"] = view
    app.query_params["period"] = "last-90-days"

    app.run()

    assert not app.exception
    shown = "\n".join(element.proto.body for element in app.get("html"))
    assert "Published" in shown
    assert account.secrets_in(shown) == []
