"""A checkpoint that is cut short, wherever it is, costs nothing; without the journal DuckDB would refuse the file."""

import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import checkpointing_process
import duckdb
import pytest
from checkpointing_process import TABLES, change, warehouse_in
from holding_process import held_by_another_process

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.land import checkpoints
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

PAGE = 4096
BLOCK = 262_144
HEADERS = 3 * PAGE


@pytest.fixture
def settings(tmp_path):
    return warehouse_in(tmp_path / "data")


def fill(settings):
    """Tables enough that where they are takes more than a page."""
    with open_warehouse(settings) as connection, warehouse_of(settings).writing_alone(connection):
        for number in range(TABLES):
            connection.execute(f"create table model.t{number} as select range as i, 'first' as said from range(20_000)")


def newest(settings):
    """The last change, after reading all there is."""
    with open_warehouse(settings) as connection:
        for number in range(TABLES):
            assert connection.execute(f"select count(said), sum(i) from model.t{number}").fetchone()[0] == 20_000
        return connection.execute("select said from model.newest").fetchone()[0]


class Photographed:
    """A connection that copies the warehouse's folder before and after a checkpoint."""

    def __init__(self, connection, folder, before, after):
        self.connection, self.folder, self.before, self.after = connection, folder, before, after

    def execute(self, statement):
        if not statement.startswith("checkpoint"):
            return self.connection.execute(statement)
        shutil.copytree(self.folder, self.before)
        answer = self.connection.execute(statement)
        shutil.copytree(self.folder, self.after)
        return answer


@pytest.fixture
def photographs(settings, tmp_path):
    """The folder before a checkpoint and right after it, the journal still there both times."""
    before, after = tmp_path / "before", tmp_path / "after"
    fill(settings)
    with open_warehouse(settings) as connection:
        for number in (0, 1):  # blocks that were freed a checkpoint ago are written again, those in use among them
            change(settings, connection, number, "second")
            connection.execute("checkpoint warehouse")
        change(settings, connection, 2, "third")
        watched = Photographed(connection, settings.data_dir, before, after)
        checkpoints.checkpoint(watched, Path(settings.warehouse_path))
    return before, after


def torn(before, after):
    """The file's bytes for every way in which a checkpoint may end amid the writing of one block over itself."""
    old, new = ((folder / "warehouse.duckdb").read_bytes() for folder in (before, after))
    for start in range(HEADERS, len(old), BLOCK):
        for end in range(start + PAGE, min(start + BLOCK, len(new)), PAGE):
            if old[start:end] != new[start:end] and old[end : start + BLOCK] != new[end : start + BLOCK]:
                yield old[:start] + new[start:end] + old[end:]


def test_a_checkpoint_cut_short_amid_any_page_is_undone_and_made_again(photographs, tmp_path):
    before, after = photographs
    refused, tries = 0, count()
    for content in torn(before, after):
        for with_journal in (True, False):
            folder = shutil.copytree(before, tmp_path / f"torn {next(tries)}")
            (folder / "warehouse.duckdb").write_bytes(content)
            if with_journal:
                assert newest(warehouse_in(folder)) == "third"
                assert not (folder / "warehouse.duckdb.journal").exists()
            else:
                (folder / "warehouse.duckdb.journal").unlink()
                with pytest.raises(duckdb.Error, match="checksum"), duckdb.connect(folder / "warehouse.duckdb") as file:
                    file.execute("from model.newest")
                refused += 1
            shutil.rmtree(folder)
    assert refused >= 3


def test_undoing_may_be_cut_short_too(photographs, tmp_path):
    before, after = photographs
    *_, content = torn(before, after)
    (before / "warehouse.duckdb").write_bytes(content)
    journal = (before / "warehouse.duckdb.journal").read_bytes()
    settings = warehouse_in(before)

    checkpoints.undo_unfinished(Path(settings.warehouse_path))
    mended = (before / "warehouse.duckdb").read_bytes()
    (before / "warehouse.duckdb").write_bytes(content)
    (before / "warehouse.duckdb.journal").write_bytes(journal)
    checkpoints.undo_unfinished(Path(settings.warehouse_path))

    assert (before / "warehouse.duckdb").read_bytes() == mended
    assert newest(settings) == "third"


def test_a_checkpoint_that_got_as_far_as_its_header_is_not_undone(photographs):
    _, after = photographs
    assert (after / "warehouse.duckdb.journal").exists()
    Path(after / "warehouse.duckdb.wal").unlink(missing_ok=True)

    assert newest(warehouse_in(after)) == "third"
    assert not (after / "warehouse.duckdb.journal").exists()


def test_the_journal_of_a_checkpoint_that_goes_on_is_left_alone(settings):
    fill(settings)
    file = Path(settings.warehouse_path)
    with open_warehouse(settings) as connection, checkpoints._journal(connection, file):
        checkpoints.undo_unfinished(file)
        assert file.with_name("warehouse.duckdb.journal").stat().st_mode & 0o777 == 0o600
    assert not file.with_name("warehouse.duckdb.journal").exists()


def test_a_second_opening_in_the_same_process_leaves_the_warehouse_to_the_first(settings):
    fill(settings)
    file = Path(settings.warehouse_path)
    with open_warehouse(settings) as connection, checkpoints._journal(connection, file):
        with pytest.raises(TryAgainLaterError), open_warehouse(settings, read_only=True, wait_seconds=0):
            pass
        script = f"import duckdb; duckdb.connect({settings.warehouse_path!r})"
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "onflicting lock" in other.stderr


@pytest.fixture
def torn_warehouse(photographs):
    before, after = photographs
    *_, content = torn(before, after)
    (before / "warehouse.duckdb").write_bytes(content)
    return warehouse_in(before)


def test_all_who_open_a_torn_warehouse_at_once_get_their_turn(torn_warehouse):
    def read(_):
        with open_warehouse(torn_warehouse, wait_seconds=20) as connection:
            return connection.execute("select said from model.newest").fetchone()[0]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(4))) == ["third"] * 4


@pytest.mark.parametrize("length", [0, 7, 20_000])
def test_a_damaged_journal_is_not_used_and_said_to_be_of_no_help(torn_warehouse, length):
    journal = Path(f"{torn_warehouse.warehouse_path}.journal")
    journal.write_bytes(journal.read_bytes()[:length])
    before = Path(torn_warehouse.warehouse_path).read_bytes()

    with pytest.raises(WrongUseError, match="could not undo"), open_warehouse(torn_warehouse, wait_seconds=0):
        pass
    assert Path(torn_warehouse.warehouse_path).read_bytes() == before


def test_a_journal_without_its_warehouse_goes(settings):
    settings.data_dir.mkdir()
    journal = Path(f"{settings.warehouse_path}.journal")
    journal.write_bytes(b"of another")

    with open_warehouse(settings):
        assert not journal.exists()


def test_a_warehouse_behind_a_link_has_its_log_and_journal_where_the_file_is(torn_warehouse, tmp_path):
    link = tmp_path / "link.duckdb"
    link.symlink_to(torn_warehouse.warehouse_path)
    linked = Settings(_env_file=None, data_dir=tmp_path, warehouse=str(link), username="nobody", password="none")

    assert newest(linked) == "third"
    with open_warehouse(linked) as connection:
        change(linked, connection, 0, "fourth")
    assert [path.name for path in torn_warehouse.data_dir.iterdir() if path.is_file()] == ["warehouse.duckdb"]


def test_nothing_is_undone_while_another_program_has_the_file(photographs):
    before, _ = photographs
    with held_by_another_process(before / "warehouse.duckdb"):
        checkpoints.undo_unfinished(before / "warehouse.duckdb")
        assert (before / "warehouse.duckdb.journal").exists()

    assert newest(warehouse_in(before)) == "third"


def test_writing_the_journal_keeps_the_lock_on_the_warehouse(settings):
    fill(settings)
    with open_warehouse(settings) as connection:
        change(settings, connection, 0, "second")
        checkpoints.checkpoint(connection, Path(settings.warehouse_path))
        script = f"import duckdb; duckdb.connect({settings.warehouse_path!r})"
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "onflicting lock" in other.stderr


FULL_DISK = """
import resource, sys
from pathlib import Path
from checkpointing_process import change, warehouse_in
from pipelines.errors import PipelineError
from pipelines.land.warehouse import open_warehouse
try:
    settings = warehouse_in(Path(sys.argv[1]))
    with open_warehouse(settings) as connection:
        change(settings, connection, 0, "second")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
except PipelineError as error:
    sys.exit(str(error))
"""


def test_a_disk_too_full_for_the_journal_is_told_and_costs_nothing(settings):
    fill(settings)
    command = [sys.executable, "-c", FULL_DISK, str(settings.data_dir)]
    folder = Path(checkpointing_process.__file__).parent
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)

    assert process.returncode == 1
    assert re.fullmatch(r"The warehouse cannot be written \(.+\): make room on its disk .+", process.stderr.strip())
    assert newest(settings) == "second"
    assert [path.name for path in settings.data_dir.iterdir() if path.is_file()] == ["warehouse.duckdb"]


def test_a_closed_warehouse_is_one_file(settings):
    fill(settings)

    assert [path.name for path in settings.data_dir.iterdir() if path.is_file()] == ["warehouse.duckdb"]


@pytest.mark.parametrize("kills", [8, pytest.param(2_000, marks=pytest.mark.slow)])
def test_killed_amid_checkpoints_the_warehouse_opens_with_all_that_was_said_to_be_in_it(settings, kills):
    fill(settings)
    dice, said = random.Random(kills), checkpointing_process.number()
    for _ in range(kills):
        before = said.value
        process = checkpointing_process.start(settings.data_dir, said)
        while said.value == before and process.is_alive():
            time.sleep(0.001)
        time.sleep(dice.random() * 0.05)
        process.kill()
        process.join()
        assert process.exitcode == -9
        assert int(newest(settings)) - said.value in {0, 1}
