"""The whole line, from the sandbox over HTTP to the published file, as one account of five syncs of one warehouse.

The account is made once; each test looks at one promise in one of its chapters.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from command_line import Ran, run_here
from rate_oracle import rates
from sandbox_settings import environment_for

from pipelines.extract.histories import HISTORIES
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox

# A beta feature of Dagster that the program uses knowingly; outside of tests it says so nowhere.

UNTIL = datetime(2025, 6, 30, 12, tzinfo=UTC)
NARROW = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)
NEW_TEXT = "FAILED: Your card was declined."
# What tells when, and not what.
WHEN = {"seen_at", "as_of_at", "invoice_read_at", "previous_until_at"}
RECORDS_OF_RUNS = {"windows", "runs", "sync_windows", "sync_runs", "about", "total_counts"}

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Chapter:
    """What one sync said and asked, and what was there after it."""

    ran: Ran
    requests: int
    truth: Rows
    landed: dict[str, Rows]
    published: dict[str, Rows]
    status: dict[str, Any]
    checksum: str


@dataclass
class Account:
    """A sandbox, a data directory, and the chapters so far."""

    sandbox: Sandbox
    data_dir: Path

    def sync(self, *options: str) -> Chapter:
        asked = self.sandbox.requests.data_count
        ran = run_here("sync", *options)
        asked = self.sandbox.requests.data_count - asked
        analytics = self.data_dir / "analytics.duckdb"
        assert analytics.exists(), ran.err
        return Chapter(
            ran=ran,
            requests=asked,
            truth=self.sandbox.store.truth(),
            landed=tables(self.data_dir / "warehouse.duckdb", "land"),
            published=tables(analytics, "main"),
            status=json.loads(run_here("status", "--json").out),
            checksum=sha256(analytics.read_bytes()).hexdigest(),
        )


def tables(file: Path, schema: str) -> dict[str, Rows]:
    """All rows of all tables of a schema, in some fixed order."""
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        names = connection.execute("select table_name from duckdb_tables() where schema_name = $1", [schema]).fetchall()
        found = {}
        for (name,) in names:
            answer = connection.execute(f'select * from {schema}."{name}" order by all')
            columns = [column[0] for column in answer.description]
            found[name] = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
        return found


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Iterator[Account]:
    data_dir = tmp_path_factory.mktemp("account") / "data"
    with (
        running_sandbox(make_operator(size=2500, months=6, until=UNTIL)) as sandbox,
        pytest.MonkeyPatch.context() as on,
    ):
        sandbox.clock.freeze(UNTIL)
        for name, value in environment_for(sandbox, data_dir).items():
            on.setenv(name, value)
        on.setenv("NEXUDUS_PAGE_SIZE", "500")
        # Dagster's record of runs on disk takes half the time of a small sync; another test looks at it.
        on.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
        on.setenv("DAGSTER_HOME", str(data_dir.parent / "dagster"))
        on.chdir(data_dir.parent)
        yield Account(sandbox, data_dir)


@pytest.fixture(scope="module")
def narrow(account) -> Chapter:
    """A first sync of one month only."""
    return account.sync("--since", f"{NARROW[0]:%F}", "--until", f"{NARROW[1]:%F}")


@pytest.fixture(scope="module")
def full(account, narrow) -> Chapter:
    """A sync of all that is still missing."""
    return account.sync()


@pytest.fixture(scope="module")
def again(account, full) -> Chapter:
    """The same once more, a quarter of an hour later; nothing has happened."""
    account.sandbox.clock.advance(timedelta(minutes=15))
    return account.sync()


@pytest.fixture(scope="module")
def rebuilt(account, again) -> Chapter:
    """The same, and all is built and published although nothing has happened."""
    return account.sync("--rebuild")


@pytest.fixture(scope="module")
def changes(account, rebuilt) -> dict[str, int]:
    """What happened since: an entry updated, one made, an invoice paid; and one entry changed behind the API's back."""
    store, clock = account.sandbox.store, account.sandbox.clock
    clock.advance(timedelta(days=1))
    failed = next(entry for entry in store.by_id.items if entry.description == "FAILED: Insufficient funds.")
    unpaid = next(one for one in store.invoices.values() if one.paid_on is None and one.entries and one.amount > 0)
    sneaked = next(entry for entry in store.by_updated_on.items if entry.description.startswith("SUCCESS: Payment"))
    store.update(failed.id, description=NEW_TEXT, is_problem=True)
    made = store.insert(unpaid.id, "Payment Result", "FAILED: Your card has expired.", is_problem=True)
    store.pay(unpaid.id)
    store.update(sneaked.id, description=NEW_TEXT, updated_on=sneaked.updated_on)
    clock.advance(timedelta(minutes=10))
    return {"updated": failed.id, "made": made.id, "paid_invoice": unpaid.id, "sneaked": sneaked.id}


@pytest.fixture(scope="module")
def later(account, changes) -> Chapter:
    """A sync after those changes, which also reads the day of the sneaked one again."""
    day = datetime.fromtimestamp(account.sandbox.store.entry(changes["sneaked"]).updated_on, UTC)
    return account.sync("--repull", f"{day:%F}", f"{day + timedelta(days=1):%F}")


@pytest.fixture(scope="module")
def broken(account, later) -> Chapter:
    """A sync over a warehouse in which somebody has doubled a row."""
    with duckdb.connect(str(account.data_dir / "warehouse.duckdb")) as connection:
        connection.execute("insert into land.coworker_invoice_histories from land.coworker_invoice_histories limit 1")
    return account.sync()


def landed_records(chapter: Chapter) -> Rows:
    """The landed rows by the API's names."""
    rows = sorted(chapter.landed["coworker_invoice_histories"], key=lambda row: row["id"])
    return [{wire: row[column] for column, wire in HISTORIES.contract.columns.items()} for row in rows]


def by_id(chapter: Chapter, entry_id: int) -> dict[str, Any]:
    return next(row for row in landed_records(chapter) if row["Id"] == entry_id)


def lasting(found: dict[str, Rows]) -> dict[str, Rows]:
    """All but the records of runs, and the columns that tell when something was seen."""
    return {
        name: [{column: value for column, value in row.items() if column not in WHEN} for row in rows]
        for name, rows in found.items()
        if name not in RECORDS_OF_RUNS
    }


def test_since_and_until_bound_what_is_pulled(narrow):
    assert narrow.ran.code == 0, narrow.ran.err
    expected = [row for row in narrow.truth if NARROW[0] <= row["UpdatedOn"] < NARROW[1]]
    # The answers may hold the very minute of the end; nothing beyond it.
    landed = [row for row in landed_records(narrow) if row["UpdatedOn"] != NARROW[1]]
    assert landed == expected
    assert len(expected) > 100


def test_status_tells_the_gap_that_a_bounded_sync_leaves(narrow, full):
    gaps = [[datetime.fromisoformat(edge) for edge in gap] for gap in narrow.status["gaps"]]
    assert [gap[1] for gap in gaps] == [NARROW[0]]
    assert any("not pulled yet" in warning for warning in narrow.status["warnings"])
    assert full.status["gaps"] == []


def test_a_full_sync_lands_the_source_row_for_row_and_column_for_column(full):
    assert full.ran.code == 0, full.ran.err
    assert landed_records(full) == full.truth
    assert len(full.truth) >= 2500
    assert full.landed["rejected_records"] == []


def test_a_full_sync_asks_little_more_than_a_question_a_page(narrow, full):
    assert narrow.requests + full.requests <= 1.05 * len(full.truth) / 500 + 8


@pytest.mark.parametrize("chapter", ["full", "later"])
@pytest.mark.parametrize(("table", "period"), [("monthly", "month_start_date"), ("daily", "day_date")])
def test_the_published_rates_are_those_that_plain_python_finds(request, chapter, table, period):
    told = request.getfixturevalue(chapter)
    (about,) = told.published["about"]
    expected = rates(told.truth, monthly=table == "monthly", as_of=about["data_as_of_at"].date())

    published = told.published[f"{table}_payment_failure_rates"]
    found = {(row["business_id"], row["currency_code"], row[period]): row for row in published}

    assert len(found) == len(published)
    assert found.keys() == expected.keys()
    for group, figures in expected.items():
        for name in [name for name in figures if name.endswith(("_low_ratio", "_high_ratio"))]:
            end = figures.pop(name)
            assert found[group][name] == (end and pytest.approx(end, abs=1e-12)), (group, name)
        assert {name: found[group][name] for name in figures} == figures, group


def test_the_rates_are_worth_comparing(full):
    failed = {
        row["currency_code"]: row["failed_attempt_count"] for row in full.published["monthly_payment_failure_rates"]
    }
    assert set(failed) == {"GBP", "EUR", "USD", "JPY", "KWD"}
    assert sum(row["failed_attempt_count"] for row in full.published["monthly_payment_failure_rates"]) > 50
    assert any(row["unflagged_failed_attempt_count"] for row in full.published["monthly_payment_failure_rates"])


def test_every_published_table_of_the_design_is_there(full):
    assert {
        "history_entries",
        "invoices",
        "payment_attempts",
        "daily_payment_failure_rates",
        "monthly_payment_failure_rates",
        "daily_problem_entries",
        "problem_entry_trends",
        "incidents",
        "findings",
        "failed_invoice_recoveries",
        "recovery_cohorts",
        "unrecognised_entries",
        "wording_coverage",
        "sync_windows",
        "data_dictionary",
    } <= set(full.published)


def test_a_second_sync_changes_nothing_asks_three_times_and_counts_once(full, again):
    assert again.ran.code == 0, again.ran.err
    assert again.requests <= 3 + 1
    assert lasting(again.landed) == lasting(full.landed)
    assert lasting(again.published) == lasting(full.published)


def test_where_nothing_has_changed_nothing_is_built_and_the_published_file_stays_as_it_is(full, again):
    assert again.checksum == full.checksum
    assert "none was built again" in again.ran.out


def test_a_run_that_was_skipped_left_published_what_a_full_one_publishes(again, rebuilt):
    assert rebuilt.ran.code == 0, rebuilt.ran.err
    assert rebuilt.checksum != again.checksum
    assert lasting(rebuilt.published) == lasting(again.published)
    assert "Published" in rebuilt.ran.out


def test_a_later_sync_finds_the_entry_that_was_updated(changes, again, later):
    assert later.ran.code == 0, later.ran.err
    assert by_id(again, changes["updated"])["Description"] == "FAILED: Insufficient funds."
    assert by_id(later, changes["updated"])["Description"] == NEW_TEXT
    versions = [row for row in later.landed["coworker_invoice_history_versions"] if row["id"] == changes["updated"]]
    assert len(versions) == 2


def test_a_later_sync_finds_the_entry_that_was_made(changes, later):
    assert by_id(later, changes["made"])["Description"] == "FAILED: Your card has expired."


def test_a_later_sync_finds_the_payment_in_every_entry_of_the_invoice(changes, again, later):
    def paid(chapter):
        return {row["CoworkerInvoicePaid"] for row in landed_records(chapter)
                if row["CoworkerInvoiceId"] == changes["paid_invoice"]}  # fmt: skip

    assert (paid(again), paid(later)) == ({False}, {True})
    (invoice,) = [row for row in later.published["invoices"] if row["invoice_id"] == changes["paid_invoice"]]
    assert invoice["is_paid"]


def test_repull_reads_a_day_again_whatever_the_ledger_says(changes, again, later):
    assert by_id(again, changes["sneaked"])["Description"].startswith("SUCCESS")
    assert by_id(later, changes["sneaked"])["Description"] == NEW_TEXT
    assert landed_records(later) == later.truth


def test_a_later_sync_asks_for_no_more_than_what_changed(later):
    assert later.requests <= 3 + 1 + 1


def test_a_broken_promise_publishes_nothing_and_keeps_the_last_file(later, broken):
    assert broken.ran.code == 4
    assert broken.checksum == later.checksum
    assert "Nothing was published" in broken.ran.err
    assert "unique_entry_id" in broken.ran.err
    assert "Traceback" not in broken.ran.err


def test_status_tells_machines_what_is_covered_and_how_fresh_it_is(account, full):
    status = full.status
    assert status["row_count"] == len(full.truth)
    assert (status["deleted_count"], status["rejected_count"]) == (0, 0)
    assert datetime.fromisoformat(status["covered_until"]) == UNTIL - timedelta(minutes=5)
    assert datetime.fromisoformat(status["newest_row_at"]) == max(row["UpdatedOn"] for row in full.truth)
    assert status["published_at"] is not None


def test_what_is_published_can_be_read_by_its_owner_only(account, full):
    for name in ("analytics.duckdb", "warehouse.duckdb"):
        assert (account.data_dir / name).stat().st_mode & 0o777 == 0o600
    assert list(account.data_dir.glob("*.wal")) == []
    assert list(account.data_dir.glob("*building*")) == []


def test_nothing_personal_is_published_unless_asked_for(full):
    published = json.dumps(full.published, default=str, ensure_ascii=False)
    for name in ("O'Brien", "@example.", "Fernández"):
        assert name in json.dumps(full.landed, default=str, ensure_ascii=False)
        assert name not in published


def test_the_published_invoices_are_paid_as_the_source_says(full):
    expected = {row["CoworkerInvoiceId"]: row["CoworkerInvoicePaidOn"] for row in full.truth}

    assert {row["invoice_id"]: row["paid_at"] for row in full.published["invoices"]} == expected


def test_the_queries_of_the_readme_work_on_the_published_file(account, full):
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    queries = re.findall(r"^```sql\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert queries

    with duckdb.connect(str(account.data_dir / "analytics.duckdb"), read_only=True) as connection:
        for query in queries:
            assert connection.execute(query).fetchall()
