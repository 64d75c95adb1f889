"""The recipes of docs/tools.md, with the tools themselves: downloaded from PyPI, so in the slow run only."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from test_querying_doc import analytics  # noqa: F401 - a fixture

TOOLS = Path(__file__).parents[2] / "docs" / "tools"
PAGE = (TOOLS.parent / "tools.md").read_text(encoding="utf-8")
ALONE = ["uv", "run", "--isolated", "--no-project"]
pytestmark = pytest.mark.slow


def run(*command, cwd, **environment):
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown(first_words):
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if first_words in block)


def test_dbt_checks_the_file_and_builds_on_it(analytics, tmp_path):  # noqa: F811
    lines = shown("dbt build").splitlines()
    packages = re.findall(r"'([^']+)'", lines[0])
    folder = shutil.copytree(TOOLS / "dbt", tmp_path / "dbt")
    with_dbt = [*ALONE, *(word for package in packages for word in ("--with", package)), "bash", "-ec"]

    told = run(*with_dbt, "\n".join(lines[2:]), cwd=folder, NEXUDUS_ANALYTICS=str(analytics))

    assert re.search(r"PASS=\d{3} WARN=0 ERROR=0", told)
    assert "OK created sql table model main.failures_by_currency" in told


def test_the_notebook_runs(analytics, tmp_path):  # noqa: F811
    packages = re.search(r"dependencies = (\[.*\])", (TOOLS / "notebook.py").read_text(encoding="utf-8"))[1]
    with_marimo = [word for package in json.loads(packages) for word in ("--with", package)]
    page = tmp_path / "notebook.html"
    export = ["marimo", "export", "html", str(TOOLS / "notebook.py"), "-o", str(page)]
    run(*ALONE, *with_marimo, *export, cwd=tmp_path, NEXUDUS_ANALYTICS=str(analytics))
    assert "vega" in page.read_text(encoding="utf-8")


SUPERSET_ASKS = """
from superset import db
from superset.models.core import Database

database = db.session.query(Database).filter_by(database_name="nexudus").one()
print("rows:", len(database.get_df("select * from data_dictionary")))
"""


def test_superset_reads_the_file(analytics, tmp_path):  # noqa: F811
    install, _, *commands = shown("superset db upgrade").splitlines()
    packages = install.replace("'", "").split()[2:]
    setting_up = "\n".join(line for line in commands if "fab create-admin" not in line)
    setting_up = setting_up.replace("/path/to/analytics.duckdb", str(analytics))
    with_superset = [*ALONE, *(word for package in packages for word in ("--with", package)), "bash", "-ec"]
    known = {"FLASK_APP": "superset", "SUPERSET_SECRET_KEY": "x" * 42, "SUPERSET_HOME": str(tmp_path)}
    ask = f"{setting_up}\nsuperset shell <<'END'\n{SUPERSET_ASKS}\nEND"
    assert re.search(r"rows: \d{3}", run(*with_superset, ask, cwd=tmp_path, **known))


@pytest.fixture
def assistant(analytics, tmp_path):  # noqa: F811
    """Asks the server of the page as an assistant does."""
    (server,) = json.loads(shown("mcpServers"))["mcpServers"].values()
    args = [str(analytics) if arg == "/path/to/analytics.duckdb" else arg for arg in server["args"]]
    with subprocess.Popen(
        [server["command"], *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    ) as process:

        def tell(method, number, **params):
            message = {"jsonrpc": "2.0", "method": method, "params": params} | ({"id": number} if number else {})
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            return (
                next(answer for line in process.stdout if (answer := json.loads(line)).get("id") == number)
                if number
                else None
            )

        client = {"name": "test", "version": "1"}
        tell("initialize", 1, protocolVersion="2025-03-26", capabilities={}, clientInfo=client)
        tell("notifications/initialized", None)

        def ask(tool, **arguments):
            result = tell("tools/call", 2, name=tool, arguments=arguments)["result"]
            return result["isError"], result["content"][0]["text"]

        yield ask
        process.kill()


def test_an_assistant_reads_the_file_with_its_dictionary_and_nothing_else(assistant, tmp_path):
    refused, text = assistant(
        "execute_query", sql="select description from data_dictionary where column_name = 'outcome'"
    )
    assert not refused
    assert json.loads(text)["rowCount"] >= 1
    _, text = assistant("list_columns", table="payment_attempts")
    assert all(column["comment"] for column in json.loads(text)["columns"])

    other = tmp_path / "other.csv"
    for sql in (
        "create table businesses_of_mine as from businesses",
        "from read_csv('/etc/passwd', header = false)",
        f"copy (select 1) to '{other}'",
        f"attach '{tmp_path / 'other.duckdb'}'",
        "set enable_external_access = true",
    ):
        refused, text = assistant("execute_query", sql=sql)
        assert refused, text
    assert not other.exists()
