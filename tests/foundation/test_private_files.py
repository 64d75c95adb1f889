"""Private, atomic, synced files: whole or as before, and for their owner only."""

import errno
import os
import stat

import pytest

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.private_files import make_private_folder, replace_file, unwritable, written_aside


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


def test_what_is_published_is_read_by_the_group_of_its_folder_where_that_was_opened_and_nothing_else_is(tmp_path):
    group = 65_432 if os.geteuid() == 0 else os.getgroups()[-1]
    os.chown(tmp_path, -1, group)
    tmp_path.chmod(0o2750)
    before = os.umask(0o077)  # as the systemd units set it
    try:
        make_private_folder(tmp_path / "a" / "b", is_published=True)
        for name in ("published", "secret"):
            replace_file(tmp_path / "a" / "b" / name, b"", is_published=name == "published")
        make_private_folder(tmp_path / "c")
    finally:
        os.umask(before)

    found = {path.name: path.stat() for path in tmp_path.rglob("*")}
    modes = {name: oct(stat.S_IMODE(one.st_mode) & 0o777) for name, one in found.items()}
    assert modes == {"a": "0o750", "b": "0o750", "published": "0o640", "secret": "0o600", "c": "0o700"}
    assert {found[name].st_gid for name in ("a", "b", "published")} == {group}
