"""The questions of docs/querying.md are asked of a file like the reader's, and answer what the page says.

After a change that is meant: `REWRITE_DOCS=1 uv run pytest tests/publish/test_querying_doc.py` writes the answers anew.
"""

import json
import os
import re
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy

import dagster as dg
import duckdb
import pytest
from sandbox_settings import unpaced_settings

from pipelines.command.sync import run_sync
from pipelines.land.landed_assets import PullConfig
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.sandbox.wording import WORSENING_PLACE

DOC = Path(__file__).parents[2] / "docs" / "querying.md"
TOOLS = DOC.parent / "tools"
UNTIL = datetime(2025, 6, 30, 12, tzinfo=UTC)
QUESTION = re.compile(r"### (\d+\..*?)\n\n```sql\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
QUESTIONS = {title: (sql, answer) for title, sql, answer in QUESTION.findall(DOC.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def analytics(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked") / "data"
    with (
        running_sandbox(make_operator(size=9000, months=14, until=UNTIL)) as sandbox,
        pytest.MonkeyPatch.context() as on,
        warnings.catch_warnings(),  # a beta feature of Dagster that the program uses knowingly
    ):
        warnings.simplefilter("ignore")
        sandbox.clock.freeze(UNTIL)
        on.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
        on.setenv("DAGSTER_HOME", str(folder.parent / "dagster"))
        settings = unpaced_settings(sandbox, folder)
        run_sync(settings, lambda _: None, PullConfig())
    return settings.analytics_path


def answer(analytics, sql):
    """A question's rows in columns."""
    with duckdb.connect(str(analytics), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        asked = connection.execute(sql)
        rows = [[column[0] for column in asked.description]]
        rows += [["" if value is None else str(value) for value in row] for row in asked.fetchall()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def test_there_are_nineteen_questions():
    assert len(QUESTIONS) == 19


@pytest.mark.parametrize("title", QUESTIONS)
def test_a_question_answers_what_the_page_says(analytics, title):
    sql, shown = QUESTIONS[title]
    found = answer(analytics, sql)
    assert found.count("\n") > 1
    if os.environ.get("REWRITE_DOCS"):
        text = DOC.read_text(encoding="utf-8")
        block = f"```sql\n{sql}```\n"
        old = f"{block}\n```text\n{shown}```\n" if shown else block
        DOC.write_text(text.replace(old, f"{block}\n```text\n{found}```\n"), encoding="utf-8")
        return
    assert found == shown


def test_the_business_that_worsens_is_the_first_finding_within_four_weeks_of_its_turn(analytics):
    with duckdb.connect(str(analytics), read_only=True) as connection:
        ((sentence,),) = connection.execute("select finding from findings where finding_number = 1").fetchall()
        found = connection.execute(
            "select detected_on_date, is_open, leading_failure_reason, customer_count from incidents"
            " inner join businesses using (business_id) where business_name = $place and detected_on_date >= $turn"
            " order by detected_on_date",
            {"place": WORSENING_PLACE, "turn": UNTIL.date() - timedelta(days=42)},
        ).fetchall()
    assert sentence.startswith(f"Failures at {WORSENING_PLACE} rose from ")
    assert found[0][0] - (UNTIL.date() - timedelta(days=42)) <= timedelta(days=28)
    assert found[-1][1:3] == (True, "insufficient_funds")
    assert found[-1][3] > 5


def test_two_releases_are_compared_by_the_query_of_the_page(analytics, tmp_path):
    (compare,) = re.findall(r"```sql\n(attach .*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    before = Path(copy(analytics, tmp_path / "before.duckdb"))
    with duckdb.connect(str(before)) as connection:
        month = "(select max(month_start_date) from monthly_payment_failure_rates)"
        connection.execute(
            "update monthly_payment_failure_rates set failed_first_attempt_count = 0"
            f" where month_start_date = {month} and failed_first_attempt_count > 0"
        )
        (month_count,) = connection.execute("select count(*)::int from monthly_payment_failure_rates").fetchone()
    with duckdb.connect(str(analytics), read_only=True) as connection:
        found = connection.execute(compare.replace("data/analytics.releases/000041.duckdb", str(before))).fetchall()
        wanted = connection.execute(
            f"select count(*) from monthly_payment_failure_rates"
            f" where month_start_date = {month} and failed_first_attempt_count > 0"
        ).fetchall()
    assert 0 < len(found) < month_count
    assert [(len(found),)] == wanted
    assert all(row[-2] == 0 and row[-1] > 0 for row in found)


def test_the_python_snippet_runs(analytics, monkeypatch):
    (snippet,) = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(analytics.parent.parent)
    found = {}
    exec(snippet, found)
    assert found["rates"].height > 10


def test_the_pages_of_evidence_ask_what_the_file_answers(analytics):
    page = (TOOLS / "evidence" / "pages" / "index.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql \w+\n(.*?)```", page, re.DOTALL)
    given = {file.stem for file in (TOOLS / "evidence" / "sources" / "nexudus").glob("*.sql")}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{analytics}' as nexudus (read_only)")
        assert all(connection.execute(query).fetchall() for query in queries)
    assert {table for query in queries for table in re.findall(r"nexudus\.(\w+)", query)} == given


def test_the_sources_of_dbt_are_the_dictionary_with_its_promises(analytics):
    with duckdb.connect(str(analytics), read_only=True) as connection:
        ((text,),) = connection.execute((TOOLS / "dbt" / "sources.sql").read_text(encoding="utf-8")).fetchall()
        wanted = connection.execute("select table_name, column_name, description from data_dictionary").fetchall()
    tables = json.loads(text)["sources"][0]["tables"]
    found = [(table["name"], each["name"], each["description"]) for table in tables for each in table["columns"]]
    assert sorted(found) == sorted(wanted)
    tests = {(table["name"], each["name"]): each["data_tests"] for table in tables for each in table["columns"]}
    assert tests["payment_attempts", "entry_id"] == ["not_null", "unique"]
    (values,) = [test["accepted_values"] for test in tests["payment_attempts", "outcome"] if isinstance(test, dict)]
    assert values["arguments"]["values"] == ["failed", "succeeded"]
