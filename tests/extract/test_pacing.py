"""The pace: over any past, by any process, nobody goes early."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from fake_time import FakeTime
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import WrongUseError
from pipelines.extract.failures import ThrottledError
from pipelines.extract.pacing import Limit, OwnLedger, Pacer, SharedLedger, ledger_for, limits_of

MINUTE = Limit(5, 60, "NEXUDUS_REQUESTS_PER_MINUTE is used up")
SPACING = Limit(1, 0.1, "spacing of requests")


@pytest.fixture
def pacer_of(tmp_path, fake_time):
    pacers = []

    def make(*limits, on_wait=None):
        ledger = SharedLedger(tmp_path / "pace.sqlite", list(limits)) if limits else OwnLedger()
        pacers.append(Pacer(ledger, clock=fake_time.clock, sleep=fake_time.sleep, on_wait=on_wait))
        return pacers[-1]

    yield make
    for pacer in pacers:
        pacer.close()


def test_requests_keep_their_spacing(pacer_of, fake_time):
    pacer = pacer_of(SPACING)
    for _ in range(4):
        pacer.admit()
    assert fake_time.naps == pytest.approx([0.1, 0.1, 0.1])
    assert pacer.waited_seconds == pytest.approx(0.3)


def test_the_sixth_request_waits_for_the_first_to_be_a_minute_old(pacer_of, fake_time):
    told = []
    pacer = pacer_of(SPACING, MINUTE, on_wait=lambda seconds, reason: told.append((round(seconds, 3), reason)))
    for _ in range(6):
        pacer.admit()
    assert told == [(59.6, "NEXUDUS_REQUESTS_PER_MINUTE is used up")]


def test_writes_have_a_limit_of_their_own(pacer_of, fake_time):
    pacer = pacer_of(MINUTE, Limit(2, 60, "writes", of_writes=True))
    for is_write in (True, True, False):
        pacer.admit(is_write=is_write)
    assert fake_time.naps == []
    pacer.admit(is_write=True)
    assert sum(fake_time.naps) == pytest.approx(60)


def test_a_wait_longer_than_five_minutes_ends_the_run_at_once(pacer_of, fake_time):
    pacer = pacer_of(Limit(2, 3600, "NEXUDUS_REQUESTS_PER_HOUR is used up"))
    pacer.admit()
    pacer.admit()
    with pytest.raises(ThrottledError, match=r"resumable: NEXUDUS_REQUESTS_PER_HOUR.*after 2026-01-01 01:00:00 UTC"):
        pacer.admit()
    assert fake_time.naps == []


@pytest.mark.parametrize("limits", [(), (SPACING,)])
def test_a_pause_holds_everybody(pacer_of, fake_time, limits):
    first = pacer_of(*limits)
    second = pacer_of(*limits) if limits else first  # without a file, a pause is known within the process
    first.pause(7)
    second.admit()
    assert sum(fake_time.naps) == pytest.approx(7)


def test_a_pause_longer_than_five_minutes_ends_the_run(pacer_of):
    pacer = pacer_of()
    pacer.pause(301)
    with pytest.raises(ThrottledError, match="throttled by the API for another 301 s"):
        pacer.admit()


def test_a_second_process_continues_the_count_of_the_first(pacer_of, fake_time):
    for _ in range(5):
        pacer_of(MINUTE).admit()
    pacer_of(MINUTE).admit()
    assert sum(fake_time.naps) == pytest.approx(60)


def test_a_clock_set_back_does_not_stop_the_pace_for_hours(pacer_of, fake_time):
    pacer = pacer_of(SPACING, MINUTE)
    for _ in range(5):
        pacer.admit()
    pacer.pause(250)
    fake_time.now -= timedelta(hours=5)
    pacer.admit()
    assert sum(fake_time.naps) < 1


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=40),
    spacing=st.floats(0.001, 2),
    count=st.integers(1, 10),
)
def test_whatever_comes_no_interval_holds_more_than_its_limit(tmp_path_factory, gaps, spacing, count):
    time = FakeTime()
    limits = [Limit(1, spacing, "spacing"), Limit(count, 20, "count")]
    pacer = Pacer(
        SharedLedger(tmp_path_factory.mktemp("pace") / "pace.sqlite", limits), clock=time.clock, sleep=time.sleep
    )
    went = []
    for gap in gaps:
        time.now += timedelta(seconds=gap)
        pacer.admit()
        went.append(time.now)
    pacer.close()
    tolerance = timedelta(microseconds=1)  # of rounding an interval to microseconds
    for limit in limits:
        for early, late in zip(went, went[limit.count :], strict=False):
            assert late - early >= timedelta(seconds=limit.seconds) - tolerance


def test_a_limit_of_zero_is_off(settings_for):
    assert limits_of(settings_for("http://localhost")) == []
    only_hour = limits_of(settings_for("http://localhost", requests_per_hour=9))
    assert [(limit.count, round(limit.seconds)) for limit in only_hour] == [(9, 3600)]


def test_with_every_limit_off_no_file_is_touched(settings_for):
    settings = settings_for("http://localhost")
    ledger_for(settings).close()
    assert not settings.data_dir.exists()


@pytest.mark.fault("the file of the request pace is damaged", "any verb", "refused with a sentence")
def test_a_file_that_is_no_pace_file_is_named(tmp_path):
    path = tmp_path / "pace.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(WrongUseError, match=r"pace\.sqlite.*NEXUDUS_DATA_DIR"):
        SharedLedger(path, [SPACING])


def test_a_data_directory_that_is_a_file_is_named(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(WrongUseError, match="NEXUDUS_DATA_DIR"):
        SharedLedger(tmp_path / "data" / "pace.sqlite", [SPACING])


_ONE_OF_TWO = """
import sys, time
from pathlib import Path
from pipelines.extract.pacing import Limit, Pacer, SharedLedger
from pipelines.settings import utc_now
limits = [Limit(1, 0.05, "spacing"), Limit(5, 0.4, "count")]
pacer = Pacer(SharedLedger(Path(sys.argv[1]), limits), clock=utc_now, sleep=time.sleep)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(12):
    pacer.admit()
    print(time.time())
pacer.close()
"""


def test_two_processes_together_keep_the_pace_of_one(tmp_path):
    command = [sys.executable, "-c", _ONE_OF_TWO, str(tmp_path / "pace.sqlite")]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path.cwd()) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    ways = [[float(line) for line in process.communicate(timeout=30)[0].split()] for process in both]
    went = sorted(moment for way in ways for moment in way)
    assert len(went) == 24
    assert ways[0][0] < ways[1][-1]
    assert ways[1][0] < ways[0][-1]  # they did overlap
    # From the first on, and not from one to the next: on a machine busy with other tests one of them may read its clock
    # long after it was let go, which brings it nearer to the next.
    scheduling = 0.1
    for place, moment in enumerate(went):
        assert moment - went[0] > max(place * 0.05, place // 5 * 0.4) - scheduling


FULL = """
import resource, sys
from pathlib import Path
from pipelines.extract.pacing import Limit, SharedLedger
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    SharedLedger(Path(sys.argv[1]), [Limit(5, 60, "a limit")])
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.fault("the disk takes no more", "the pace of requests is written", "exact after the next run")
@pytest.mark.parametrize("byte_count", [0, 1000])
def test_a_full_disk_is_said_to_be_one(tmp_path, byte_count):
    command = [sys.executable, "-B", "-c", FULL, str(tmp_path / "pace.sqlite"), str(byte_count)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said.startswith("TryAgainLaterError The file that keeps the request pace")
    assert "make room on its disk" in said
