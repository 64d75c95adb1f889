"""A warehouse outlives versions: what an older one made is brought up to date whole, or left exactly as it was."""

import subprocess
import sys
from dataclasses import replace

import dagster as dg
import duckdb
import msgspec
import pytest
from command_line import run_here
from kept_data import VERSIONS, account_of, kept_warehouse
from sandbox_settings import values_for
from tested_warehouse import as_environment, empty_warehouse

from pipelines.errors import WrongUseError
from pipelines.extract.histories import HISTORIES, HistoryRecord
from pipelines.extract.records import JSON_NULL, Contract
from pipelines.land import layout
from pipelines.land.rebuild import rebuild
from pipelines.land.warehouse import open_warehouse, warehouse_of

ROWS, VERSIONS_OF_ROWS = HISTORIES.rows, HISTORIES.versions
KINDS = ["file", "lake", *(pytest.param(kind, marks=pytest.mark.lake) for kind in ("postgres", "s3"))]


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture(params=KINDS)
def older(request, version, tmp_path):
    return kept_warehouse(version, request.param, tmp_path)


def columns(connection):
    return set(
        connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns()"
            " where database_name = current_database() and schema_name in ('land', 'record')"
        ).fetchall()
    )


def rows(connection, table, like=None):
    """The rows of a table, of the columns that `like` has: an older version knew fewer."""
    names = sorted(like[0] if like else connection.table(table).columns)
    connection.execute("set timezone = 'UTC'")
    found = connection.execute(f"select {', '.join(names)} from {table} order by all").fetchall()
    return [dict(zip(names, row, strict=True)) for row in found]


def rows_as_they_are(settings):
    """All landed rows, by a connection that asks for no version."""
    warehouse = warehouse_of(settings)
    with warehouse.connection({}) as connection:
        warehouse.attach(connection, read_only=True)
        connection.execute("use warehouse")
        tables = sorted({table for schema, table, *_ in columns(connection) if schema == "land"})
        return {table: rows(connection, f"land.{table}") for table in tables}


def test_an_older_warehouse_gets_the_columns_of_a_new_one_and_keeps_every_row(older):
    before = rows_as_they_are(older)

    with open_warehouse(older) as connection, empty_warehouse() as new:
        assert columns(connection) == columns(new)
        assert rows(connection, ROWS, like=before[HISTORIES.table]) == before[HISTORIES.table]
        assert (
            rows(connection, VERSIONS_OF_ROWS, like=before[HISTORIES.versions_table])
            == before[HISTORIES.versions_table]
        )
        assert rows(connection, "land.windows", like=before["windows"]) == before["windows"]
        assert connection.execute("select distinct entity from land.windows").fetchall() == [(HISTORIES.name,)]
        assert connection.execute("select state, entry_id from record.outbox").fetchone() == ("confirmed", 2147440392)
        assert connection.execute("select version from land.layout").fetchall() == [(len(layout.migrations()),)]

    with open_warehouse(older) as connection:
        assert connection.execute("select count(*) from land.layout").fetchone() == (1,)


def test_a_reader_of_an_older_warehouse_is_told_to_sync(older):
    with pytest.raises(WrongUseError, match="run `nexudus-billing sync`"), open_warehouse(older, read_only=True):
        pass
    with open_warehouse(older):
        pass
    with open_warehouse(older, read_only=True) as connection:
        assert connection.execute(f"select count(*) from {ROWS}").fetchone()[0] > 100


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_warehouse_is_refused_and_left_as_it_is(older, read_only):
    with open_warehouse(older) as connection:
        connection.execute("insert into land.layout values (999, '9.9.9', now() + interval 1 day)")
    before = rows_as_they_are(older)

    with (
        pytest.raises(WrongUseError, match=r"newer version of nexudus-billing, 9\.9\.9"),
        open_warehouse(older, read_only=read_only),
    ):
        pass
    assert rows_as_they_are(older) == before


def test_a_column_that_only_a_newer_version_can_have_made_is_refused(tmp_path):
    settings = kept_warehouse("0.1.0", "file", tmp_path)
    with open_warehouse(settings) as connection:
        connection.execute(f"alter table {ROWS} add column field_of_tomorrow varchar")

    with pytest.raises(WrongUseError, match="newer version"), open_warehouse(settings):
        pass


def unknown_field(connection):
    ((name,),) = connection.execute(
        f"select distinct unnest(json_keys(extra)) from {ROWS} where extra is not null limit 1"
    ).fetchall()
    return name


def test_a_field_that_was_unknown_gets_a_column_with_its_values(older):
    with open_warehouse(older) as connection:
        wire = unknown_field(connection)
        expected = dict(
            connection.execute(f"select id, extra ->> '$.{wire}' from {ROWS} where extra is not null").fetchall()
        )
        record = msgspec.defstruct(
            "Later",
            [("found_later", msgspec.Raw, msgspec.field(name=wire, default=JSON_NULL))],
            bases=(HistoryRecord,),
            kw_only=True,
        )
        later = replace(HISTORIES, contract=Contract(record))
        with warehouse_of(older).writing_alone(connection):
            layout.bring_up_to_date(connection, [later])
        found = dict(
            connection.execute(f"select id, found_later ->> '$' from {ROWS} where found_later is not null").fetchall()
        )
        assert found == expected
        assert len(found) > 10
        assert connection.execute(f"select count(extra) from {ROWS}").fetchone() == (0,)


def typed(connection):
    observed = "first_seen_at, seen_at, deleted_at"
    return connection.execute(f"select * exclude ({observed}) from {ROWS} order by id").fetchall()


def test_rows_rebuilt_from_the_raw_versions_alone_equal_what_was_there(older):
    with open_warehouse(older) as connection:
        there = rows(connection, ROWS)
        with warehouse_of(older).writing_alone(connection):
            assert rebuild(connection, HISTORIES) == len(there)
        assert rows(connection, ROWS) == there

        before = typed(connection)
        connection.execute(f"delete from {ROWS}")
        with warehouse_of(older).writing_alone(connection):
            rebuild(connection, HISTORIES)
        assert typed(connection) == before


def test_raw_json_that_this_version_cannot_read_refuses_the_upgrade_and_changes_nothing(older):
    with open_warehouse(older) as connection:
        connection.execute(f"alter table {ROWS} drop column notify")
        connection.execute(
            f"update {VERSIONS_OF_ROWS} set raw = '{{\"Id\": 7}}' where id = (select min(id) from {ROWS})"
        )
    before = rows_as_they_are(older)

    with pytest.raises(WrongUseError, match="cannot be brought up to date"), open_warehouse(older):
        pass
    assert rows_as_they_are(older) == before


def test_an_older_warehouse_goes_on_with_a_sync_and_is_published(older, version, start_sandbox, tmp_path, monkeypatch):
    sandbox = start_sandbox(account_of(version, tmp_path / "kept"))
    new = sandbox.store.insert(next(iter(sandbox.store.invoices)), "Payment Result", "FAILED: Insufficient funds.")
    where = older.model_dump(include={"data_dir", "warehouse", "lake_data_path", "lake_s3_endpoint"}, exclude_none=True)
    there = values_for(sandbox, tmp_path) | where | {"history_start": "2025-01-01"}
    for name, value in as_environment(there).items():
        monkeypatch.setenv(name, str(value))
    # Dagster's record of runs on disk takes half the time of a small sync; another test looks at it.
    monkeypatch.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    for name in ("lake_s3_key_id", "lake_s3_secret"):
        if secret := getattr(older, name):
            monkeypatch.setenv(f"NEXUDUS_{name.upper()}", secret.get_secret_value())

    ran = run_here("sync")

    assert ran.code == 0, ran.err
    assert "1 new" in ran.out
    assert sandbox.requests.data_count <= 6
    with duckdb.connect(str(older.analytics_path), read_only=True) as published:
        entries = {entry_id for (entry_id,) in published.execute("select entry_id from history_entries").fetchall()}
    assert entries == {row["Id"] for row in sandbox.store.truth()}
    assert new.id in entries


KILLED = """
import os, signal, sys
from pipelines.land import layout
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings

layout.drop_figures = lambda _: os.kill(os.getpid(), signal.SIGKILL)
with open_warehouse(Settings(_env_file=None, **eval(sys.argv[1]))):
    pass
"""


@pytest.mark.parametrize("kind", ["file", "lake"])
def test_a_migration_that_was_killed_is_done_anew_by_the_next_opening(kind, tmp_path):
    settings = kept_warehouse("0.1.0", kind, tmp_path)
    before = rows_as_they_are(settings)
    given = {
        name: str(getattr(settings, name))
        for name in ("data_dir", "warehouse", "lake_data_path")
        if getattr(settings, name)
    }

    killed = subprocess.run([sys.executable, "-c", KILLED, repr(given)], check=False)

    assert killed.returncode == -9
    assert rows_as_they_are(settings) == before
    with open_warehouse(settings) as connection:
        assert rows(connection, ROWS, like=before[HISTORIES.table]) == before[HISTORIES.table]
        assert "entity" in connection.table("land.windows").columns


def test_migrations_are_numbered_without_a_gap():
    numbers = [int(file.stem.partition("_")[0]) for file in layout.migrations()]

    assert numbers == list(range(1, len(numbers) + 1))
