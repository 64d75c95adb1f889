"""The command as a person meets it: what it prints, and with which code it ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest

from pipelines import cli


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run_here(*arguments: str, folder: Path | None = None, **environment: object) -> Ran:
    """Run the command in this process, which spares the seconds that Dagster takes to load."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        for name, value in environment.items():
            patch.setenv(name, str(value))
        if folder:
            patch.chdir(folder)
        code = cli.run(list(arguments))
    return Ran(code, out.getvalue(), err.getvalue())


@contextmanager
def started_apart(*arguments: str, folder: Path, **environment: object) -> Iterator[subprocess.Popen[str]]:
    """The command in a process and a folder of its own, with these settings and no others."""
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("nexudus-billing")), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | {name: str(value) for name, value in environment.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def run_apart(*arguments: str, folder: Path, **environment: object) -> Ran:
    """The same, to its end."""
    with started_apart(*arguments, folder=folder, **environment) as process:
        out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out, err)
