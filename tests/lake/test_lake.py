"""A lake as warehouse: what it needs is said, what is secret is not, and its upkeep changes no row."""

import json
import re
from datetime import timedelta

import duckdb
import lake_servers
import pytest
from wire_records import ANSWERED_AT, wire

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.extract.histories import HISTORIES
from pipelines.land import lake
from pipelines.land.merge import Page, land_pages
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings, load_settings

TABLE = "land.coworker_invoice_histories"


def land(settings, connection, *raws, seen=0):
    with warehouse_of(settings).writing_alone(connection):
        records = [HISTORIES.contract.read(raw) for raw in raws]
        return land_pages(connection, HISTORIES, [Page(records, [], ANSWERED_AT + timedelta(minutes=seen))])


def rows(connection, table=TABLE):
    return connection.execute(f"select * from {table} order by all").fetchall()


def test_what_is_written_is_there_at_the_next_opening_and_for_readers(lake_settings):
    with open_warehouse(lake_settings) as connection:
        land(lake_settings, connection, wire(Id=1, CustomFields={"a": 1}), wire(Id=2))
        written = rows(connection)

    for read_only in (True, False):
        with open_warehouse(lake_settings, read_only=read_only) as connection:
            assert rows(connection) == written
            assert connection.execute("select current_setting('timezone')").fetchone() == ("UTC",)


def test_a_lake_opens_again_after_work_that_went_to_disk_and_so_does_another(lake_of):
    one, other = lake_of("lake"), lake_of("lake", data_dir=lake_of("lake").data_dir / "other")
    with open_warehouse(one) as connection:
        connection.execute("set memory_limit = '64MiB'")
        connection.execute("create temp table spilled as from range(2_000_000) as numbers (i) order by hash(i)")
        connection.execute("reset memory_limit")

    for settings in (one, other):
        with open_warehouse(settings) as connection:
            assert rows(connection) == []


def test_a_reader_cannot_write(lake_settings):
    with open_warehouse(lake_settings):
        pass
    with (
        pytest.raises(duckdb.InvalidInputException),
        open_warehouse(lake_settings, read_only=True) as connection,
    ):
        connection.execute("delete from land.windows")


def test_a_page_that_fails_leaves_nothing(lake_settings):
    def land_and_break(connection):
        with warehouse_of(lake_settings).writing_alone(connection):
            land_pages(connection, HISTORIES, [Page([HISTORIES.contract.read(wire(Id=2))], [], ANSWERED_AT)])
            raise KeyboardInterrupt

    with open_warehouse(lake_settings) as connection:
        land(lake_settings, connection, wire(Id=1))
        with pytest.raises(KeyboardInterrupt):
            land_and_break(connection)
        assert connection.execute(f"select id from {TABLE}").fetchall() == [(1,)]


def test_upkeep_leaves_few_files_and_every_row(lake_settings):
    with open_warehouse(lake_settings) as connection:
        for minute in range(6):
            land(
                lake_settings,
                connection,
                *[wire(Id=i, Name=f"{minute} {i}") for i in range(minute * 10, minute * 10 + 60)],
                seen=minute,
            )
        before = {table: rows(connection, table) for table in (TABLE, f"{TABLE[:-3]}y_versions")}

        warehouse_of(lake_settings).keep_up(connection, timedelta())

        assert {table: rows(connection, table) for table in before} == before
        files = connection.execute("select table_name, file_count from ducklake_table_info('warehouse')").fetchall()
        assert dict(files)["coworker_invoice_histories"] == 1
        assert connection.execute("select count(*) from ducklake_snapshots('warehouse')").fetchone() <= (2,)


def test_the_catalogue_in_a_file_has_one_writer_and_says_who(lake_of):
    settings = lake_of("lake")
    with (
        open_warehouse(settings),
        pytest.raises(TryAgainLaterError, match="another task of this process"),
        open_warehouse(settings, wait_seconds=0),
    ):
        pass


def test_a_missing_extension_is_named_with_the_command_that_brings_it(lake_of, monkeypatch):
    monkeypatch.setattr(lake, "_idle", [])
    monkeypatch.setattr(lake, "find_spec", lambda _: None)
    real = duckdb.connect
    nowhere = {"custom_extension_repository": "http://127.0.0.1:9", "extension_directory": "/nonexistent"}
    monkeypatch.setattr(lake.duckdb, "connect", lambda config: real(config=nowhere | config))

    with (
        pytest.raises(WrongUseError, match=r"extension ducklake .*uv sync --extra lake"),
        open_warehouse(lake_of("lake")),
    ):
        pass


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"WAREHOUSE": "ducklake:postgres:dbname=x password=canary"}, "NEXUDUS_LAKE_DATA_PATH"),
        ({"WAREHOUSE": "ducklake:mysql:db=x"}, "ducklake:postgres:"),
        ({"LAKE_S3_KEY_ID": "me"}, "NEXUDUS_LAKE_S3_SECRET"),
    ],
)
def test_a_lake_that_is_not_wholly_described_is_refused(monkeypatch, tmp_path, environment, complaint):
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(f"NEXUDUS_{name}", value)

    with pytest.raises(WrongUseError, match=complaint) as refused:
        load_settings()
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "dbname=x password=canary host=h",
        "dbname=x PASSWORD = 'can\\'ary canary' host=h",
        "postgresql://me:canary@h:5432/x",
        "postgresql://me:1@canary/2@h:5432/x",
    ],
)
def test_the_name_of_a_lake_has_no_password(address):
    settings = Settings(_env_file=None, warehouse=f"ducklake:postgres:{address}", lake_data_path="lake")

    assert "ary" not in warehouse_of(settings).name
    assert "***" in warehouse_of(settings).name


@pytest.mark.lake
@pytest.mark.parametrize(
    ("part", "instead", "kind", "said"),
    [
        ("dbname", "no_such", WrongUseError, "does not exist"),
        ("port", "1", TryAgainLaterError, "does not answer"),
    ],
)
def test_a_catalogue_that_cannot_be_had_is_told_without_its_password(lake_of, *, part, instead, kind, said):
    settings = lake_of("postgres")
    address = re.sub(rf"{part}=\S+", f"{part}={instead}", settings.warehouse)
    with pytest.raises(kind, match=said) as refused, open_warehouse(settings.model_copy(update={"warehouse": address})):
        pass
    assert lake_servers.PASSWORD not in str(refused.value)


@pytest.mark.lake
def test_another_data_path_than_the_lake_has_is_refused(lake_of, tmp_path):
    settings = lake_of("postgres")
    with open_warehouse(settings):
        pass
    elsewhere = settings.model_copy(update={"lake_data_path": str(tmp_path / "elsewhere")})
    with pytest.raises(WrongUseError, match="NEXUDUS_LAKE_DATA_PATH") as refused, open_warehouse(elsewhere):
        pass
    assert lake_servers.PASSWORD not in str(refused.value)


def test_settings_print_no_secret(lake_of):
    settings = lake_of("lake", lake_s3_key_id="canary-key", lake_s3_secret="canary-secret")

    assert "canary" not in repr(settings) + json.dumps(settings.model_dump(mode="json"))
