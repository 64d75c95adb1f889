"""The command as a person meets it: what it prints, and with which code it ends."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from pipelines import cli


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run_here(*arguments: str) -> Ran:
    """Run the command in this process, which spares the seconds that Dagster takes to load."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = cli.run(list(arguments))
    return Ran(code, out.getvalue(), err.getvalue())


def run_apart(*arguments: str, folder: Path, **environment: object) -> Ran:
    """Run the command in a process and a folder of its own, with these settings and no others."""
    settings = {name: str(value) for name, value in environment.items()}
    command = [str(Path(sys.executable).with_name("nexudus-billing")), *arguments]
    ran = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)
