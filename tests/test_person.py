"""A customer who is erased is in no file any more, does not come back, and no figure has changed."""

from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import duckdb
import pytest
from command_line import run_here
from sandbox_settings import unpaced_settings
from tested_warehouse import new_warehouse

from pipelines.command import person_verbs
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.records import RejectedRecord
from pipelines.extract.windows import Window
from pipelines.land.entity_tables import ENTITIES
from pipelines.land.erased_people import Said
from pipelines.land.merge import Page, land_pages
from pipelines.land.pull_settings import pull_for
from pipelines.land.rebuild import rebuild
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.model.judging import judge
from pipelines.model.rules import load_rules
from pipelines.model.sql_models import load_models
from pipelines.model.withholding import withhold
from pipelines.orchestrate.dagster_internals import forget_runs
from pipelines.orchestrate.in_process import instance_template
from pipelines.publish import bucket, releases
from pipelines.publish.analytics import publish
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import load_settings

UNTIL = datetime(2025, 6, 30, 12, tzinfo=UTC)
FREE_TEXTS = (
    "FAILED: Insufficient funds. Zanthippe Quillfeather called, account 4711.",
    "FAILED: AC04 ClosedAccountNumber for Quillfeather",
    "SUCCESS: The payment was collected from Orlaithe Vandersloot.",
    "Customer Quillfeather has leukaemia and asked for time.",
    "Bank transfer received from Brackenmoor Holdings",
)
CANARIES = (
    "Zanthippe", "Quillfeather", "Brightwhistle", "Orlaithe", "Vandersloot", "leukaemia", "Brackenmoor", "nightjar"
)  # fmt: skip


class Account:
    """A sandbox with one customer whose name occurs nowhere else, and a data directory that is read from it."""

    def __init__(self, sandbox, folder, kind):
        self.sandbox, self.folder = sandbox, folder
        self.settings = unpaced_settings(
            sandbox, folder / "data", publish_to=f"file://{folder / 'bucket'}", **new_warehouse(folder, kind)
        )
        self.invoice = next(one.invoice for one in sandbox.store.by_id.items if one.is_problem)
        known = self.invoice.member
        self.person = known.id
        renamed = replace(known, full_name="Zanthippe Quillfeather", bill_to_name="Brightwhistle Ltd")
        for invoice in sandbox.store.invoices.values():
            if invoice.member.id == known.id:
                invoice.member = renamed
        for number, text in enumerate(FREE_TEXTS):
            self.write("Payment Result", text, is_problem=number % 2 == 0)
        self.write(FREE_TEXTS[3], "SUCCESS: The payment was collected.")

    def write(self, name, description, *, is_problem=False):
        by = "nightjar@example.com"
        self.sandbox.store.insert(self.invoice.id, name, description, is_problem=is_problem, updated_by=by)

    def read(self):
        """Land all that the sandbox has, as a sync does."""
        with NexudusClient(self.settings) as client, open_warehouse(self.settings) as connection:
            for entity in ENTITIES:
                pull = pull_for(self.settings, connection, client, "run", entity, withhold=withhold)
                pull.read(UPDATED_ON, [Window(datetime(2024, 1, 1, tzinfo=UTC), UNTIL.replace(year=2026))])

    def reject(self):
        """Land two records that break the contract, one of them no JSON."""
        raw = f'{{"Id": 5, "CoworkerInvoiceCoworkerId": {self.person}, "Name": "Quillfeather"'.encode()
        rejected = [RejectedRecord(raw=each, reason="broken", id=one) for one, each in ((5, raw), (6, raw + b"}"))]
        with open_warehouse(self.settings) as connection, warehouse_of(self.settings).writing_alone(connection):
            land_pages(connection, ENTITIES[0], [Page([], rejected, UNTIL)], withhold)

    def publish(self):
        """Two releases, the first with personal data."""
        with open_warehouse(self.settings) as connection:
            told = self.settings.model_copy(update={"publish_personal_data": True})
            assert person_verbs.build_and_publish(told, connection) == []
            releases.report_path(self.settings.analytics_path).touch()
            assert bucket.upload(told) is None
            assert self.canaries()  # so that no search below can succeed by not finding anything ever
            publish(connection, load_models(), self.settings.analytics_path, personal_data=False)
        person_verbs.publish_the_rest(self.settings)

    def tables(self):
        """Every published table but what is about the release itself, as rows."""
        with duckdb.connect() as reader:
            reader.execute(f"attach '{self.settings.analytics_path}' as published (read_only); use published")
            names = [name for (name,) in reader.execute("select table_name from duckdb_tables()").fetchall()]
            return {name: reader.execute(f"from {name} order by all").fetchall() for name in names if name != "about"}

    def canaries(self):
        found = {}
        files = {str(file.relative_to(self.folder)): file for file in self.folder.rglob("*") if file.is_file()}
        for name, content in [*((name, file.read_bytes()) for name, file in files.items()), *self.stored()]:
            if hit := [canary for canary in CANARIES if canary.lower().encode() in content.lower()]:
                found[name] = hit
        return found

    def stored(self):
        """What is in the object store, if the lake keeps its files in one."""
        address = self.settings.lake_data_path or ""
        if address.startswith("s3://"):
            with open_warehouse(self.settings, read_only=True) as connection:
                found = connection.execute(f"select filename, content from read_blob('{address}/**')").fetchall()
            assert found
            yield from found

    def rows(self):
        with open_warehouse(self.settings) as connection:
            return {
                table: connection.execute(f"select * exclude (seen_at) from {table} order by all").fetchall()
                for entity in ENTITIES
                for table in (entity.rows, entity.versions)
            }


LAKES = [pytest.param(kind, marks=pytest.mark.lake) for kind in ("lake", "postgres", "s3")]


@pytest.fixture(params=["", *LAKES])
def account(request, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "data" / "dagster"))
    with running_sandbox(make_operator(size=40, months=1, until=UNTIL)) as sandbox:
        sandbox.clock.freeze(UNTIL)
        made = Account(sandbox, tmp_path, request.param)
        sandbox.clock.advance(3600)
        yield made


def test_an_erased_customer_is_in_no_file_and_does_not_come_back_and_no_figure_changes(account):
    account.read()
    account.reject()
    account.publish()
    before = account.tables()
    held = person_verbs.show_person(account.settings, account.person).warehouse
    assert held.names == ["Brightwhistle Ltd", "Zanthippe Quillfeather"]
    assert (held.entry_count > len(FREE_TEXTS), held.rejected_count, held.is_erased) == (True, 2, False)

    _, left = person_verbs.erase(account.settings, account.person)

    assert left == []
    assert account.canaries() == {}
    after = account.tables()
    assert [name for name in before if before[name] != after[name]] == []

    as_erased = account.rows()
    account.reject()
    account.read()
    assert account.rows() == as_erased
    account.write("Payment Result", FREE_TEXTS[0], is_problem=True)
    account.sandbox.clock.advance(3600)
    account.read()
    with open_warehouse(account.settings) as connection, warehouse_of(account.settings).writing_alone(connection):
        rebuild(connection, ENTITIES[0])
    assert len(account.rows()[ENTITIES[0].rows]) == len(as_erased[ENTITIES[0].rows]) + 1
    assert account.canaries() == {}
    assert person_verbs.show_person(account.settings, account.person).warehouse.is_erased


def test_somebody_of_whom_nothing_is_held_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXUDUS_DATA_DIR", str(tmp_path))
    none = run_here("person", "erase", "12", "--yes")
    with open_warehouse(load_settings()):
        pass

    nobody = run_here("person", "show", "12")

    assert (none.code, nobody.code) == (2, 2)
    assert "There is no warehouse" in none.err
    assert "Nothing is held about a customer with the Id 12" in nobody.err


def test_a_run_of_dagster_whose_log_names_them_is_deleted(tmp_path, monkeypatch):
    @dg.asset
    def logged(context: dg.AssetExecutionContext) -> None:
        context.log.info("Zoë Quillfeather")

    @dg.asset
    def other(): ...

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_bytes(instance_template().read_bytes())
    with dg.DagsterInstance.get() as instance:
        dg.materialize([logged], instance=instance)
        kept = dg.materialize([other], instance=instance).run_id
        assert person_verbs.files_naming([tmp_path], ["Zoë Quillfeather"]) != []

        assert forget_runs(instance, person_verbs.spellings(["Zoë Quillfeather"])) == 1

        assert [record.dagster_run.run_id for record in instance.get_run_records()] == [kept]
    assert person_verbs.files_naming([tmp_path], ["Zoë Quillfeather"]) == []


def test_what_is_kept_of_a_text_is_judged_as_the_text_was():
    book = load_rules()
    texts = {(word.example, bool(number % 2)) for number, word in enumerate(book.words[::40])}
    texts |= {(text, False) for text in FREE_TEXTS}
    said = {Said("Payment Result", text, flag, "Zanthippe Quillfeather") for text, flag in texts}

    kept = withhold("key", said, book)

    assert [text for text in kept.values() if any(canary in str(text) for canary in CANARIES)] == []
    assert kept == withhold("key", said, book)
    before = judge(book, [tuple(one[:3]) for one in said])
    after = judge(book, [(*kept[one], one.is_problem) for one in said])
    changed = {
        one.description: kept[one][1]
        for one in said
        for old, new in [(before[tuple(one[:3])], after[(*kept[one], one.is_problem)])]
        if (old.kind, old.failure_reason, old.is_understood) != (new.kind, new.failure_reason, new.is_understood)
    }
    assert changed == {}
