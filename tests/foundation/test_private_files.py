"""Private, atomic, synced files: whole or as before, and for their owner only."""

import errno
import os

import pytest

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.private_files import replace_file, unwritable, written_aside


def test_a_replaced_file_is_private_whatever_the_umask_and_leaves_nothing_beside_it(tmp_path):
    file = tmp_path / "manifest.json"
    file.write_bytes(b"old")
    before = os.umask(0)
    try:
        replace_file(file, b"new")
    finally:
        os.umask(before)

    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "report.html"
    file.write_bytes(b"old")

    def write_and_break():
        with written_aside(file) as building:
            building.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_break()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"report.html": b"old"}


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [(errno.ENOSPC, TryAgainLaterError, "make room"), (errno.EACCES, WrongUseError, "check its permissions")],
)
def test_a_full_disk_is_another_time_and_the_rest_is_a_wrong_use(number, kind, said):
    trouble = unwritable("report.html", OSError(number, os.strerror(number)), "check its permissions.")

    assert type(trouble) is kind
    assert said in str(trouble)
