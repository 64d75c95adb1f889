"""Readers never wait, never see half, never go back."""

import errno
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.errors import BrokenPromiseError, WrongUseError
from pipelines.model.sql_models import load_models
from pipelines.publish import analytics, releases
from pipelines.publish.parquet import publish_parquet
from pipelines.publish.releases import Release
from pipelines.publish.snapshot import open_snapshot
from pipelines.settings import load_settings

READER = """
import sys, time, duckdb
file, done = sys.argv[1:]
last, count = 0, 0
import os
while not os.path.exists(done):
    with duckdb.connect(file, read_only=True) as connection:
        number, entries = connection.execute("select release_number, entry_count from about").fetchone()
        (found,) = connection.execute("select count(*) from history_entries").fetchone()
        (sums,) = connection.execute("select sum(attempt_count) from monthly_payment_failure_rates").fetchone()
        (attempts,) = connection.execute("select count(*) from payment_attempts").fetchone()
    assert entries == found and sums == attempts, ("torn", number)
    assert number >= last, ("backwards", last, number)
    last, count = number, count + 1
    time.sleep(0.1)
print(last, count)
"""


@pytest.mark.slow
def test_two_hundred_publishes_disturb_none_of_three_readers(publish_once, target, tmp_path):
    first = publish_once().release_number
    done = tmp_path / "done"
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, str(target), str(done)], stdout=-1, stderr=-1, text=True)
        for _ in range(3)
    ]
    for _ in range(200):
        publish_once()
    done.touch()
    ended = [(reader.communicate(timeout=60), reader.returncode) for reader in readers]
    assert [code for _, code in ended] == [0, 0, 0], ended
    reads = [int(out.split()[1]) for (out, _), _ in ended]
    assert first == 1
    assert min(reads) > 20


def test_a_reader_that_holds_the_old_file_is_undisturbed(publish_once, target):
    publish_once()
    with duckdb.connect(str(target), read_only=True) as reader:
        before = reader.execute("select * from history_entries order by all").fetchall()
        for _ in range(4):
            publish_once()
        assert reader.execute("select * from history_entries order by all").fetchall() == before
        assert reader.execute("select release_number from about").fetchall() == [(1,)]


def test_a_file_replaced_while_a_query_runs_is_answered_from_the_one_before(publish_once, target):
    publish_once()
    with open_snapshot(target) as snapshot:
        swapper = threading.Thread(target=publish_once)
        swapper.start()
        counts = {
            snapshot.rows(
                "select a.release_number, count(*) as count from about as a, history_entries as x, range(2000)"
                " group by all"
            )[0]["release_number"]
            for _ in range(10)
        }
        swapper.join()
    assert counts == {1}
    with open_snapshot(target) as snapshot:
        assert snapshot.about.release_number == 2


def test_two_snapshots_of_one_process_are_two_releases(publish_once, target):
    publish_once()
    with open_snapshot(target) as old:
        publish_once()
        with open_snapshot(target) as new:
            assert (old.about.release_number, new.about.release_number) == (1, 2)


def test_two_publishers_take_turns(target, warehouse, publish_once):
    other = warehouse.cursor()
    numbers = []
    publishers = [
        threading.Thread(
            target=lambda: numbers.append(
                analytics.publish(other, load_models(), target, personal_data=False).release_number
            )
        )
    ]
    for publisher in publishers:
        publisher.start()
    numbers.append(publish_once().release_number)
    for publisher in publishers:
        publisher.join()
    assert sorted(numbers) == [1, 2]


FULL_DISK = """
import resource, signal, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from landed_canaries import modelled_warehouse
from pipelines.errors import TryAgainLaterError
from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import publish
from pipelines.publish.parquet import publish_parquet
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
target = Path(sys.argv[1])
with modelled_warehouse() as connection:
    publish(connection, load_models(), target, personal_data=False)
    publish_parquet(target)
    for largest_file_bytes in (300, 100_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes, resource.RLIM_INFINITY))
        for attempt in (lambda: publish(connection, load_models(), target, personal_data=False),
                        lambda: publish_parquet(target)):
            try:
                attempt()
            except TryAgainLaterError as error:
                print(f"at {largest_file_bytes} bytes: {error}")
"""


def test_a_disk_that_is_full_keeps_the_last_file_and_is_said(target):
    command = [sys.executable, "-c", FULL_DISK, str(target), str(Path(__file__).parent)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    # DuckDB draws its bar between the lines where the machine is busy.
    said = [line for line in ran.stdout.splitlines() if "cannot be written" in line]
    assert {line.partition("at ")[2].split()[0] for line in said} == {"300", "100000"}
    assert all("what was there before is kept." in line for line in said)
    with open_snapshot(target) as snapshot:
        assert snapshot.about.release_number == 1
    assert not list(target.parent.rglob("*building*"))


def test_a_folder_that_is_a_file_is_said(warehouse, tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(WrongUseError, match="cannot be made"):
        analytics.publish(warehouse, [], tmp_path / "data" / "analytics.duckdb", personal_data=False)


def test_a_file_that_does_not_hold_what_was_written_is_not_published(publish_once, target, monkeypatch):
    publish_once()
    honest = analytics._build

    def forgetful(*arguments, **options):
        return honest(*arguments, **options) | {"history_entries": 601}

    monkeypatch.setattr(analytics, "_build", forgetful)
    with pytest.raises(BrokenPromiseError, match="history_entries"):
        publish_once()
    with open_snapshot(target) as snapshot:
        assert snapshot.about.release_number == 1


def test_parquet_is_swapped_whole_and_the_release_before_stays_readable(publish_once, target):
    publish_once()
    folder = publish_parquet(target)
    before = folder.resolve()
    publish_once()
    assert publish_parquet(target) == folder
    assert folder.resolve() != before
    with duckdb.connect() as connection:
        for place, number in ((folder, 2), (before, 1)):
            query = f"select release_number from '{place}/about/*.parquet'"
            assert connection.execute(query).fetchall() == [(number,)]
        counts = connection.execute(f"select count(*) from '{folder}/history_entries/history_entries.parquet'")
        assert counts.fetchall() == [(600,)]
    publish_once()
    publish_parquet(target)
    assert len(list(folder.parent.glob("release-*"))) == 2


WRITER = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("set checkpoint_threshold = '1TB'; insert into businesses by name select -1 as business_id")
print("written", flush=True)
sys.stdin.readline()
if sys.argv[2] == "crashed":
    os._exit(1)
if sys.argv[2] == "closed":
    connection.close()
sys.stdin.readline()
"""


@pytest.fixture(params=["open", "crashed", "closed"])
def writer(request, publish_once, target):
    """Another program that has changed the published file: its session is still open, has crashed or was closed."""
    publish_once()
    command = [sys.executable, "-c", WRITER, str(target), request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        if request.param != "open":
            process.communicate("\n\n")
        yield process
        process.kill()


def changes_in(file):
    with duckdb.connect() as reader:
        reader.execute(f"attach '{file}' as published (read_only)")
        return reader.execute("select count(*) from published.businesses where business_id = -1").fetchone()[0]


@pytest.mark.fault(
    "another program wrote to the published file: still open, crashed or closed", "before a sync", "exact"
)
def test_what_another_program_wrote_is_in_no_later_release_and_in_no_kept_one(writer, publish_once, target):
    first = releases.read_manifest(target).releases[0]
    trouble = releases.change_since(target)
    assert "Another program has" in trouble
    assert "run `nexudus-billing sync`" in trouble
    assert releases.checksum(target.parent / first.file) == first.sha256

    publish_once()

    assert changes_in(target) == 0
    assert releases.change_since(target) is None
    for kept in releases.read_manifest(target).releases:
        assert releases.checksum(target.parent / kept.file) == kept.sha256


def test_our_own_readers_see_the_release_as_it_was_published_beside_the_changes(writer, target):
    if releases.changes_beside(target).exists():
        with open_snapshot(target) as snapshot:
            assert snapshot.rows("select count(*) as found from businesses where business_id = -1") == [{"found": 0}]


def test_a_copied_folder_whose_links_were_followed_is_a_link_again(publish_once, target):
    publish_once()
    current = publish_parquet(target)
    name = current.readlink().name
    current.unlink()
    (current / "businesses").mkdir(parents=True)

    publish_once()

    assert publish_parquet(target).readlink().name > name


@pytest.mark.fault("the disk takes no links", "publishing Parquet", "refused with a sentence")
def test_a_disk_without_links_is_named(publish_once, target, monkeypatch):
    def without_links(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    publish_once()
    monkeypatch.setattr(os, "symlink", without_links)
    with pytest.raises(WrongUseError, match="takes links"):
        publish_parquet(target)


NOT_OURS = {
    "a folder": lambda path: path.mkdir(),
    "a text": lambda path: path.write_text("my thesis"),
    "a database of somebody's": lambda path: duckdb.connect(str(path)).execute("create table t as select 1").close(),
    "a device": lambda path: path.symlink_to("/dev/null"),
}


@pytest.mark.fault("NEXUDUS_ANALYTICS names a folder, or a file of somebody's", "publishing", "refused with a sentence")
@pytest.mark.parametrize("made", NOT_OURS)
def test_what_this_program_has_not_published_is_not_replaced(publish_once, target, made):
    target.parent.mkdir()
    NOT_OURS[made](target)
    before = target.read_bytes() if target.is_file() else None

    with pytest.raises(WrongUseError, match="NEXUDUS_ANALYTICS names"):
        publish_once()

    assert (target.read_bytes() if target.is_file() else None) == before


@pytest.mark.fault("the manifest of the releases is lost or damaged", "publishing", "exact")
@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"\xff{")])
def test_a_published_file_whose_manifest_was_lost_is_replaced(publish_once, target, damage):
    publish_once()
    damage(releases.manifest_path(target))

    assert publish_once().release_number == 2
    assert releases.change_since(target) is None


@pytest.mark.fault("a kept release is damaged", "before a sync", "warned of")
@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(file.read_bytes()[::-1]), Path.unlink])
def test_a_damaged_release_is_named_and_no_longer_listed_by_the_next(publish_once, target, damage):
    publish_once()
    publish_once()
    newest, older = releases.read_manifest(target).releases
    damage(target.parent / older.file)

    assert f"{older.file} is damaged" in releases.change_since(target)
    publish_once()

    assert [one.release_number for one in releases.read_manifest(target).releases] == [3, newest.release_number]
    assert releases.change_since(target) is None


@pytest.mark.fault("publishing is killed", "any moment", "exact after the next run")
def test_a_release_that_was_killed_at_any_moment_is_the_old_or_the_new_one_and_is_told(tmp_path):
    """Of plain files: what matters here is their order."""

    def made(number, folder):
        building = folder / "building"
        building.write_bytes(b"release %d" % number)
        at = datetime(2025, 7, number, tzinfo=UTC)
        file = releases.kept_name(folder / "a.duckdb", number)
        digest, size = releases.checksum(building), building.stat().st_size
        return building, Release(
            release_number=number, published_at=at, file=file, sha256=digest, byte_count=size, program_version="",
            row_counts={},
        )  # fmt: skip

    def killed_at(moment, target):
        """Whether the process was killed before it came to its end."""
        child = os.fork()
        if not child:
            events = iter(range(10**6))
            sys.addaudithook(lambda *_: os._exit(9) if next(events) == moment else None)
            releases.release(target, *made(2, target.parent), 3)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    seen, moment = set(), 0
    while True:
        target = tmp_path / str(moment) / "a.duckdb"
        target.parent.mkdir()
        releases.release(target, *made(1, target.parent), 3)
        if not killed_at(moment, target):
            break
        listed = [one.release_number for one in releases.read_manifest(target).releases]
        number = int(target.read_bytes().split()[1])
        trouble = releases.change_since(target)
        seen.add((listed[0], number))
        assert number in listed
        assert releases.published_at(target).day == number
        assert (trouble is None) == (listed[0] == number), trouble
        releases.release(target, *made(3, target.parent), 3)
        assert (target.read_bytes(), releases.change_since(target)) == (b"release 3", None)
        moment += 1

    assert seen == {(1, 1), (2, 1), (2, 2)}


@pytest.mark.fault("NEXUDUS_ANALYTICS names the warehouse or a file of it", "any verb", "refused with a sentence")
@pytest.mark.parametrize("name", ["warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.duckdb.journal"])
def test_the_warehouse_is_never_published_over(monkeypatch, tmp_path, name):
    monkeypatch.setenv("NEXUDUS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NEXUDUS_ANALYTICS", str(tmp_path / "folder" / ".." / name))
    with pytest.raises(WrongUseError, match="NEXUDUS_ANALYTICS names the warehouse"):
        load_settings()
