"""What the system refuses is one sentence with an exit code, wherever it came up."""

import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import redirect_stderr
from io import StringIO

import duckdb
import pytest

from pipelines.command.terminal import run_verb
from pipelines.foundation.system_errors import explained

FULL = "make room on it"


def raised_by_dagster(error):
    """As an error of SQLite comes out of Dagster: as the cause of another."""
    wrapped = RuntimeError("while recording an event")
    wrapped.__cause__ = error
    return wrapped


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1, FULL),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "data/first_month"), 1, FULL),
        (sqlite3.OperationalError("database or disk is full"), 1, FULL),
        (raised_by_dagster(sqlite3.OperationalError("disk I/O error")), 1, FULL),
        (duckdb.IOException("Could not write file x: No space left on device"), 1, FULL),
        (MemoryError(), 1, "not enough memory"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "data/token.json"), 2, "data/token.json cannot be used"),
        (raised_by_dagster(sqlite3.DatabaseError("file is not a database")), 2, "no data"),
    ],
)
def test_an_error_of_the_system_is_a_sentence(error, code, words):
    def verb():
        raise error

    with redirect_stderr(StringIO()) as err:
        assert run_verb(verb) == code

    assert words in err.getvalue()
    assert err.getvalue().count("\n") == 1
    assert "Unexpected" not in err.getvalue()


def test_a_mistake_of_the_program_is_not_explained_away():
    assert explained(ValueError("a mistake of ours")) is None


ON_WINDOWS = """
import sys

for name in ("fcntl", "grp", "pwd", "resource"):
    sys.modules[name] = None
from pipelines.cli import main

sys.argv = ["nexudus-billing", *sys.argv[1:]]
sys.exit(main())
"""


@pytest.mark.parametrize(("verb", "code", "told"), [("status", 2, "use WSL or Docker"), ("--help", 0, "")])
def test_where_there_is_no_posix_the_program_says_where_it_runs(tmp_path, verb, code, told):
    done = subprocess.run(
        [sys.executable, "-c", ON_WINDOWS, verb], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (code, True, False)
