"""The command line under bad input: one plain sentence, the documented exit code, and nothing changed. And the demo."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from hashlib import sha256
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import typer
from command_line import Ran, run_apart, run_here, started_apart
from sandbox_settings import environment_for

from pipelines import cli
from pipelines.command.terminal import run_verb
from pipelines.land.landed_assets import HISTORIES, months
from pipelines.land.warehouse import open_warehouse
from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.pytest_plugin import start_sandbox  # noqa: F401 - pytest finds it by its name here
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import Settings, load_settings

# What every contact with the API keeps: who we are to it, and how fast we asked.
BOOKKEEPING = {"client_id", "token.json", "token.lock", "request_pace.sqlite", "request_pace.lock"}
README = Path(__file__).parents[1] / "README.md"
VERBS = sorted(typer.main.get_command(cli.app).commands)


@pytest.fixture(scope="module")
def tenant():
    with running_sandbox(make_operator(size=300, months=2)) as sandbox:
        sandbox.clock.freeze(sandbox.store.until)
        yield sandbox


@pytest.fixture
def folder(tmp_path, monkeypatch, tenant):
    """A folder to work in, with settings for a sandbox and a data directory in which a sync has been."""
    monkeypatch.chdir(tmp_path)
    for name, value in environment_for(tenant, Path("data")).items():
        monkeypatch.setenv(name, value)
    # Dagster's record of runs on disk takes half the time of a small sync; the test of the demo looks at it.
    monkeypatch.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "data" / "dagster"))
    with open_warehouse(load_settings()) as connection:
        connection.execute("insert into land.rejected_records (reason) values ('from before')")
    (tmp_path / "data" / "analytics.duckdb").write_text("the last good file")
    return tmp_path


def kept(folder):
    """What must not change: the files, and of the warehouse the rows."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    contents = {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()
                if path.name not in BOOKKEEPING | {"warehouse.duckdb"}}  # fmt: skip
    with duckdb.connect(str(folder / "data" / "warehouse.duckdb"), read_only=True) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables() order by all").fetchall()
        rows = {table: connection.execute(f"from {schema}.{table}").fetchall() for schema, table in tables}
    return contents, rows


def check_one_plain_sentence(ran, code, *words):
    assert ran.code == code, ran
    assert ran.out == ""
    assert ran.err.count("\n") == 1, ran.err
    for word in words:
        assert word in ran.err
    for noise in ("Traceback", "Unexpected", "Error:", "http://"):
        assert noise not in ran.err


def refused(folder, code, *words, arguments=("sync",)):
    """Run a command that must fail so, and change nothing."""
    before = kept(folder)
    check_one_plain_sentence(run_here(*arguments), code, *words)
    assert kept(folder) == before


def test_no_credentials(folder, monkeypatch):
    monkeypatch.delenv("NEXUDUS_PASSWORD")

    refused(folder, 2, "NEXUDUS_USERNAME and NEXUDUS_PASSWORD")


def test_no_credentials_and_no_folder_yet_in_a_process_of_its_own(tmp_path):
    ran = run_apart("sync", folder=tmp_path)

    check_one_plain_sentence(ran, 2, "NEXUDUS_USERNAME and NEXUDUS_PASSWORD")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [400, 401])
def test_wrong_credentials(folder, monkeypatch, tenant, status):
    monkeypatch.setattr(tenant.knobs, "bad_login_status", status)
    monkeypatch.setenv("NEXUDUS_PASSWORD", "a wrong one")

    refused(folder, 3, "NEXUDUS_PASSWORD")


def test_a_wrong_password_is_not_repeated_in_the_sentence(folder, monkeypatch):
    monkeypatch.setenv("NEXUDUS_PASSWORD", "canary-5ecret")

    assert "canary-5ecret" not in run_here("sync").err


def test_wrong_credentials_at_the_first_sync_leave_no_warehouse(tmp_path, monkeypatch, folder):
    monkeypatch.setenv("NEXUDUS_DATA_DIR", str(tmp_path / "new"))
    monkeypatch.setenv("NEXUDUS_PASSWORD", "a wrong one")

    assert run_here("sync").code == 3

    assert {path.name for path in (tmp_path / "new").rglob("*")} <= BOOKKEEPING


def test_an_unreachable_host(folder, monkeypatch):
    monkeypatch.setenv("NEXUDUS_BASE_URL", "http://127.0.0.1:9")

    refused(folder, 1, "127.0.0.1:9 cannot be reached", "NEXUDUS_BASE_URL")


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_role(folder, monkeypatch, tenant, status):
    monkeypatch.setattr(tenant.knobs, "roles", "Coworker-List")
    monkeypatch.setattr(tenant.knobs, "missing_role_status", status)
    monkeypatch.setenv("NEXUDUS_HISTORY_START", "2025-05-01")

    refused(folder, 3, "CoworkerInvoiceHistory-List")


def test_a_missing_role_for_invoices_where_they_must_be_read(folder, monkeypatch, tenant):
    monkeypatch.setattr(tenant.knobs, "roles", "CoworkerInvoiceHistory-List")
    monkeypatch.setenv("NEXUDUS_INVOICES", "on")

    ran = run_here("sync")

    assert (folder / "data" / "analytics.duckdb").read_text() == "the last good file"
    check_one_plain_sentence(ran, 3, "`CoworkerInvoice-List`")


def test_a_large_deletion_is_refused_and_accepted_once_it_was_shown(folder, monkeypatch, start_sandbox):  # noqa: F811 - the fixture
    sandbox = start_sandbox(make_operator(size=300, months=2))
    monkeypatch.setenv("NEXUDUS_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("NEXUDUS_DATA_DIR", str(folder / "elsewhere"))
    assert run_here("sync").code == 0
    gone = sandbox.store.truth()[:60]
    for record in gone:
        sandbox.store.delete(record["Id"])

    check_one_plain_sentence(run_here("reconcile"), 4, "60 of", "--accept-loss")
    accepted = run_here("reconcile", "--accept-loss", "--yes")

    assert accepted.code == 0
    assert all(f"{record['CreatedOn']:%Y-%m}" in accepted.out for record in gone)
    assert all(str(record["CoworkerInvoiceBusinessId"]) in accepted.out for record in gone)
    assert f"60 of {len(sandbox.store) + 60} entries are no longer in the API" in accepted.out
    assert "60 deleted" in accepted.out


def test_status_says_once_what_is_missing_without_the_role_for_invoices(folder, monkeypatch, tenant):
    monkeypatch.setattr(tenant.knobs, "roles", "CoworkerInvoiceHistory-List")
    (folder / "data" / "analytics.duckdb").unlink()
    assert run_here("sync").code == 0

    ran = run_here("status")

    assert ran.err.count("`CoworkerInvoice-List`") == 1
    assert re.search(r"invoices +not read$", ran.out, re.MULTILINE)


def hurried_clock():
    """A clock on which the minute that a second writer waits is soon over."""
    start, real = time.monotonic(), time.monotonic
    return lambda: start + (real() - start) * 200


@pytest.mark.parametrize("verb", ["sync", "status"])
def test_a_warehouse_held_by_another_process_is_named_with_its_holder(folder, monkeypatch, verb):
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, "data/warehouse.duckdb"]
    monkeypatch.setattr("pipelines.land.warehouse.time.monotonic", hurried_clock())
    before = kept(folder)

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        ran = run_here(verb)
        holder.stdin.close()

    check_one_plain_sentence(ran, 1, "data/warehouse.duckdb is held by", f"process {holder.pid}")
    assert kept(folder) == before


def test_a_data_directory_that_cannot_be_made(folder, monkeypatch):
    # A folder below a file: root, as whom containers run tests, may write anywhere else.
    monkeypatch.setenv("NEXUDUS_DATA_DIR", str(folder / "data" / "analytics.duckdb" / "below"))

    refused(folder, 2, "NEXUDUS_DATA_DIR")


def test_a_warehouse_that_is_none(folder, monkeypatch):
    file = folder / "notes.json"
    file.write_text('{"note": "not a database"}')
    monkeypatch.setenv("NEXUDUS_WAREHOUSE", str(file))

    refused(folder, 2, "NEXUDUS_WAREHOUSE")


def test_status_before_any_sync(folder, monkeypatch):
    monkeypatch.setenv("NEXUDUS_DATA_DIR", str(folder / "elsewhere"))

    refused(folder, 2, "nexudus-billing sync", arguments=("status",))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("sync", "--frm", "2025-01-01"), "No such option"),
        (("sink",), "No such command"),
        (("sync", "2025-01-01"), "unexpected extra argument"),
        (("sync", "--since", "2025-13-01"), "YYYY-MM-DD"),
        (("sync", "--until", "yesterday"), "YYYY-MM-DD"),
        (("sync", "--repull", "2025-01-01"), "requires 2 arguments"),
        (("sync", "--repull", "2025-01-01", "01/02/2025"), "YYYY-MM-DD"),
        (("sync", "--repull", "2025-01-02", "2025-01-02"), "is not before"),
        (("sync", "--since", "2025-02-01", "--until", "2025-01-01"), "is not before"),
        (("sandbox", "--port", "http"), "--port"),
        (("sandbox", "--profile", "gentle"), "--profile"),
    ],
)
def test_options_that_cannot_be_meant(folder, arguments, word):
    refused(folder, 2, word, arguments=arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEXUDUS_BASE_URL", "spaces.nexudus.com"),
        ("NEXUDUS_PAGE_SIZE", "0"),
        ("NEXUDUS_HISTORY_START", "2012-13-01"),
        ("NEXUDUS_REPORTING_TIMEZONE", "Europe/Londinium"),
        ("NEXUDUS_PUBLISH_PERSONAL_DATA", "perhaps"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(folder, monkeypatch, name, value):
    before = kept(folder)
    monkeypatch.setenv(name, value)

    check_one_plain_sentence(run_here("sync"), 2, name)
    assert kept(folder) == before


def test_a_sync_that_is_stopped_keeps_what_it_landed_and_says_so(tmp_path, start_sandbox):  # noqa: F811
    sandbox = start_sandbox(make_operator(size=900, months=2), Knobs(slow_rate=1.0, slow_seconds=0.1))
    environment = {
        "NEXUDUS_BASE_URL": sandbox.base_url,
        "NEXUDUS_USERNAME": sandbox.username,
        "NEXUDUS_PASSWORD": sandbox.password,
        "NEXUDUS_REQUEST_SPACING_MS": "0",
        "NEXUDUS_PAGE_SIZE": "20",
    }

    with started_apart("sync", folder=tmp_path, **environment) as process:
        while sandbox.requests.data_count < 6 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)

    check_one_plain_sentence(Ran(process.returncode, out, err), 1, "Stopped", "the next sync continues")
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from land.coworker_invoice_histories").fetchone()[0] >= 20
    assert not (tmp_path / "data" / "analytics.duckdb").exists()


@pytest.mark.fault("SIGTERM", "while DuckDB works", "exact after the next run")
def test_a_stop_while_a_query_runs_says_the_same(capsys):
    def query():
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        with duckdb.connect() as connection:
            connection.execute("select count(*) from range(10000000) as a, range(100000) as b where a.range % 7 = 3")

    assert run_verb(query) == 1
    assert "Stopped" in capsys.readouterr().err


def test_a_stop_whose_cause_was_dropped_on_the_way_says_the_same(capsys):
    def query():
        raise RuntimeError("Query interrupted")

    assert run_verb(query) == 1
    assert "Stopped" in capsys.readouterr().err


def test_a_stop_before_anything_was_asked_says_the_same(folder, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_settings", stop)

    check_one_plain_sentence(run_here("sync"), 1, "Stopped", "the next sync continues")


def test_verbose_shows_where_it_failed(folder, monkeypatch):
    monkeypatch.delenv("NEXUDUS_PASSWORD")

    assert "Traceback" in run_here("--verbose", "sync").err
    assert "Traceback" not in run_here("sync").err


@pytest.mark.fault("a terminal lacks characters", "any verb", "refused with a sentence")
def test_a_terminal_that_lacks_a_character_shows_another(tmp_path):
    ran = run_apart("status", folder=tmp_path, NEXUDUS_DATA_DIR="Zoë", PYTHONIOENCODING="ascii")

    check_one_plain_sentence(ran, 2, "There is no warehouse at Zo?/warehouse.duckdb yet")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    ran = run_here(verb, "--help")

    assert (ran.code, ran.err) == (0, "")
    assert f"nexudus-billing {verb}" in ran.out


def test_without_a_verb_the_verbs_are_shown_once(tmp_path):
    ran = run_apart(folder=tmp_path)

    assert ran.code == 2
    for verb in VERBS:
        assert ran.out.count(f"│ {verb} ") == 1


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo, small for the test's sake, where a broken one has been before."""
    folder = tmp_path_factory.mktemp("demo")
    before = folder / "data" / "demo"
    before.mkdir(parents=True)
    (before / "warehouse.duckdb").write_text("half written")
    (before / "left over").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DAGSTER_HOME", "")
        patch.setenv("NEXUDUS_BASE_URL", "https://a-real-tenant.invalid")
        patch.setattr("pipelines.command.demo.make_operator", partial(make_operator, size=1200, months=4))
        ran = run_here("demo")
    assert ran.code == 0, ran.err
    return ran, folder


def test_a_second_demo_starts_clean(demo):
    _, folder = demo

    assert not (folder / "data" / "demo" / "left over").exists()
    with duckdb.connect(str(folder / "data" / "demo" / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) > 1000 from land.coworker_invoice_histories").fetchone() == (True,)


def test_the_demo_shows_a_failure_rate_for_each_business_and_currency(demo):
    ran, _ = demo

    for heading in ("Payment failure rate", "business", "currency", "attempts", "failed", "rate", "interval"):
        assert heading in ran.out
    assert {code for code in ("GBP", "EUR", "USD", "JPY", "KWD") if code in ran.out} >= {"GBP", "EUR", "USD"}


def test_the_demo_tells_where_the_published_file_is(demo):
    ran, folder = demo

    (line,) = [line for line in ran.out.splitlines() if line.startswith("Published file: ")]
    assert (folder / line.removeprefix("Published file: ")).is_file()


def test_the_demo_ends_with_an_example_that_works_and_that_the_readme_shows(demo):
    ran, folder = demo
    assert ran.out.splitlines()[-1] in README.read_text(encoding="utf-8")
    example = shlex.split(ran.out.splitlines()[-1])
    assert example[:3] == ["uv", "run", "python"]

    asked = subprocess.run([sys.executable, *example[3:]], cwd=folder, capture_output=True, text=True, check=True)

    assert "attempt_failure_ratio" in asked.stdout
    assert "GBP" in asked.stdout


def test_the_dashboard_shows_the_demo_while_there_is_nothing_else(demo, monkeypatch):
    _, folder = demo
    monkeypatch.chdir(folder)
    served = []
    monkeypatch.setattr("streamlit.starlette.App.run", lambda *_, **__: served.append(os.environ["NEXUDUS_ANALYTICS"]))
    monkeypatch.setenv("NEXUDUS_ANALYTICS", "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run_here("dashboard", "--port", str(port))
    shown = run_here("dashboard", "--port", str(port))

    assert (refused.code, served) == (1, ["data/demo/analytics.duckdb"])
    assert "this is the demo" in shown.out
    assert f"http://127.0.0.1:{port}" in shown.out
    assert "Ctrl-C" not in refused.out


def test_explain_takes_a_business_by_its_name(demo, monkeypatch):
    _, folder = demo
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NEXUDUS_ANALYTICS", "data/demo/analytics.duckdb")
    with duckdb.connect("data/demo/analytics.duckdb", read_only=True) as connection:
        query = "select business_id, business_name, currency_code, month_start_date from businesses "
        row = connection.execute(
            query + "join monthly_payment_failure_rates using (business_id) where attempt_count > 0 limit 1"
        ).fetchone()
    number, name, currency, month = row

    by_name = run_here("explain", name.upper(), currency, f"{month:%Y-%m}")

    assert by_name == run_here("explain", str(number), currency, f"{month:%Y-%m}")
    assert by_name.code == 0
    unknown = run_here("explain", "Atlantis", currency, f"{month:%Y-%m}")
    assert (unknown.code, name in unknown.err) == (2, True)


def test_the_demo_is_on_record_in_dagsters_instance_under_its_data_directory(demo, monkeypatch):
    _, folder = demo
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "data" / "demo" / "dagster"))

    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        made = instance.get_materialized_partitions(HISTORIES)

    assert (run.job_name, run.status) == ("sync", dg.DagsterRunStatus.SUCCESS)
    # The timeline and the jobs page of `dg dev` go by that, and the asset's page by the months.
    assert run.remote_job_origin.repository_origin.get_label() == "__repository__@nexudus-billing"
    assert made == set(months(Settings(_env_file=None, data_dir=folder / "data" / "demo")).get_partition_keys())
    assert len(made) in {4, 5}
