"""The warehouse file: private, one writer, and a plain sentence where it cannot be had."""

import os
import subprocess
import sys
from threading import Timer

import duckdb
import pytest
from holding_process import held_by_another_process

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.transactions import transaction
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, data_dir=tmp_path / "data")


def test_folder_and_file_are_for_their_owner_only(settings):
    with open_warehouse(settings):
        pass

    assert settings.data_dir.stat().st_mode & 0o777 == 0o700
    assert (settings.data_dir / "warehouse.duckdb").stat().st_mode & 0o777 == 0o600


def test_whatever_started_it_every_file_is_private_from_its_first_byte(settings):
    settings.data_dir.mkdir(mode=0o755)
    before = os.umask(0)  # as another Dagster project may have it
    try:
        with open_warehouse(settings) as outer, outer.cursor():
            outer.execute("create table warehouse.land.numbers as from range(10)")
            modes = {file.name: file.stat().st_mode & 0o777 for file in settings.data_dir.iterdir()}
        assert os.umask(0) == 0
    finally:
        os.umask(before)

    assert "warehouse.duckdb.wal" in modes
    assert set(modes.values()) == {0o600}


def test_what_is_written_is_there_at_the_next_opening_and_for_readers(settings):
    with open_warehouse(settings) as connection:
        connection.execute("insert into land.rejected_records (reason) values ('kept')")

    for read_only in (False, True):
        with open_warehouse(settings, read_only=read_only) as connection:
            assert connection.execute("select reason from land.rejected_records").fetchall() == [("kept",)]


def test_a_reader_cannot_write(settings):
    with open_warehouse(settings):
        pass
    with open_warehouse(settings, read_only=True) as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute("delete from land.windows")


def test_times_are_utc_and_the_reporting_zone_is_known(tmp_path):
    settings = Settings(_env_file=None, data_dir=tmp_path, reporting_timezone="Asia/Tokyo")
    with open_warehouse(settings) as connection:
        found = connection.execute("select current_setting('timezone'), getvariable('reporting_timezone')").fetchone()

    assert found == ("UTC", "Asia/Tokyo")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_second_process_waits_and_is_then_told_who_holds_the_file(settings, read_only):
    with open_warehouse(settings):
        pass
    with (
        held_by_another_process(settings.warehouse_path) as holder,
        pytest.raises(TryAgainLaterError, match=rf"held by .*\(process {holder.pid}\)"),
        open_warehouse(settings, read_only=read_only, wait_seconds=0.3),
    ):
        pass


def test_a_second_process_goes_on_as_soon_as_the_first_is_done(settings):
    with open_warehouse(settings):
        pass
    with held_by_another_process(settings.warehouse_path) as holder:
        Timer(0.3, holder.stdin.close).start()
        with open_warehouse(settings, wait_seconds=10) as connection:
            assert connection.execute("select count(*) from land.windows").fetchone() == (0,)


def test_two_tasks_of_one_process_do_not_write_at_once(settings):
    with (
        open_warehouse(settings),
        pytest.raises(TryAgainLaterError, match="another task of this process"),
        open_warehouse(settings, wait_seconds=0),
    ):
        pass


def refused(settings, **options):
    with pytest.raises(WrongUseError) as error, open_warehouse(settings, wait_seconds=0, **options):
        pass
    return str(error.value)


@pytest.mark.parametrize("name", ["notes.txt", "notes.json", "notes.csv", "notes.parquet"])
@pytest.mark.parametrize("length", [1, 200])
def test_a_file_that_is_no_warehouse_is_named_and_left_as_it_is(tmp_path, name, length):
    file = tmp_path / name
    file.write_text('{"note": "Not a database, but long enough to be looked at."}\n' * length)
    before = file.read_bytes()

    assert str(file) in refused(Settings(_env_file=None, data_dir=tmp_path, warehouse=str(file)))
    assert file.read_bytes() == before


def test_a_folder_is_no_warehouse(tmp_path):
    assert "NEXUDUS_WAREHOUSE" in refused(Settings(_env_file=None, data_dir=tmp_path, warehouse=str(tmp_path)))


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    sentence = refused(Settings(_env_file=None, data_dir=tmp_path / "file" / "data"))

    assert "NEXUDUS_DATA_DIR" in sentence
    assert sentence.count("\n") == 0


def test_a_reader_does_not_make_what_is_missing(settings):
    refused(settings, read_only=True)

    assert not settings.data_dir.exists()


def test_a_path_with_a_quote_in_it_is_a_path(tmp_path):
    settings = Settings(_env_file=None, data_dir=tmp_path / "the analyst's data")
    with open_warehouse(settings):
        pass

    assert (settings.data_dir / "warehouse.duckdb").exists()


def test_a_transaction_is_all_of_it_or_nothing(warehouse):
    def add():
        warehouse.execute("insert into land.rejected_records (reason) values ('one more')")

    def add_and_break():
        with transaction(warehouse):
            add()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_and_break()
    assert warehouse.execute("select count(*) from land.rejected_records").fetchone() == (0,)

    with transaction(warehouse):
        add()
    assert warehouse.execute("select count(*) from land.rejected_records").fetchone() == (1,)


WRITE_MUCH = """
import resource, sys
from pathlib import Path
from pipelines.errors import TryAgainLaterError
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings

with_little_disk = Settings(_env_file=None, data_dir=Path(sys.argv[1]))
try:
    with open_warehouse(with_little_disk) as connection:
        # A write beyond this ends as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000,) * 2)
        connection.execute("create table model.much as select hash(i) as h from range(3_000_000) as numbers (i)")
except TryAgainLaterError as error:
    print(error)
"""


def test_a_disk_that_is_full_while_figures_are_made_is_told_and_leaves_the_warehouse_as_it_was(tmp_path):
    told = subprocess.run([sys.executable, "-c", WRITE_MUCH, tmp_path], capture_output=True, text=True, check=True)

    assert "make room on its disk" in told.stdout
    with open_warehouse(Settings(_env_file=None, data_dir=tmp_path)) as connection:
        assert connection.execute("from duckdb_tables() where schema_name = 'model'").fetchall() == []
