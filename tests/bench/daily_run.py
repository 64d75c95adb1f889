"""What a `sync` with nothing new costs, beside the same with all figures built again, in pairs; and what it is made of.

    uv run python tests/bench/daily_run.py [ENTRIES] [PAIRS]

The sandbox is in this process; each sync is the command in a process of its own, so its CPU seconds are its alone. The
counts come from two further runs: openings of the warehouse and DuckDB statements by a profile, and, where strace is
installed, the waits for the disk.
"""

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import utc_now

NOTHING_NEW, REBUILT = ["sync"], ["sync", "--rebuild"]
COUNTING = """
import sys, collections
found = collections.Counter()
def look(frame, event, called):
    if event == "c_call" and called.__module__ == "_duckdb":
        found["statements"] += called.__name__ in {"execute", "executemany", "sql"}
    elif event == "call" and frame.f_code.co_name == "open_warehouse":
        found["steps into open_warehouse"] += 1
sys.setprofile(look)
from pipelines import cli
code = cli.run(sys.argv[1:])
sys.setprofile(None)
# A generator is entered once when it is made to run, and once more to end.
print("counts", found["statements"], found["steps into open_warehouse"] // 2, file=sys.stderr)
sys.exit(code)
"""


def run(arguments: list[str], environment: dict[str, str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of the command."""
    command = [str(Path(sys.executable).with_name("nexudus-billing")), *arguments]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def counts(arguments: list[str], environment: dict[str, str], folder: Path) -> str:
    """DuckDB statements, openings and waits for the disk of a run."""
    counted = subprocess.run(
        [sys.executable, "-c", COUNTING, *arguments],
        env=environment, cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    statements, openings = re.findall(r"counts (\d+) (\d+)", counted.stderr)[0]
    return f"{openings} openings, {statements} statements, {waits(arguments, environment, folder)} waits for the disk"


def waits(arguments: list[str], environment: dict[str, str], folder: Path) -> str:
    """Calls of fsync and fdatasync, of SQLite and DuckDB too."""
    if not shutil.which("strace"):
        return "?"
    command = [str(Path(sys.executable).with_name("nexudus-billing")), *arguments]
    traced = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", *command],
        env=environment, cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return str(len(re.findall(r"\bf(?:data)?sync\(", traced.stderr)))


def main() -> None:
    """Fill a warehouse, then measure pairs."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    operator = make_operator(size=entries, months=24, until=utc_now())
    with tempfile.TemporaryDirectory() as name, running_sandbox(operator) as sandbox:
        folder = Path(name)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
            "NEXUDUS_BASE_URL": sandbox.base_url,
            "NEXUDUS_USERNAME": sandbox.username,
            "NEXUDUS_PASSWORD": sandbox.password,
            "NEXUDUS_REQUESTS_PER_MINUTE": "0",
            "NEXUDUS_REQUESTS_PER_HOUR": "0",
            "NEXUDUS_REQUEST_SPACING_MS": "0",
        }
        print(f"first sync of {entries:,}: %.1f s, %.1f s of CPU" % run(NOTHING_NEW, environment, folder))
        run(NOTHING_NEW, environment, folder)
        measured = [(run(NOTHING_NEW, environment, folder), run(REBUILT, environment, folder)) for _ in range(pairs)]
        for at, title in enumerate(("nothing new", "the same, all built again")):
            wall, cpu = (statistics.median(pair[at][kind] for pair in measured) for kind in (0, 1))
            print(f"{title:<26} {wall:5.1f} s, {cpu:4.1f} s of CPU (medians of {pairs})")
        for title, arguments in (("nothing new", NOTHING_NEW), ("the same, all built again", REBUILT)):
            print(f"{title:<26} {counts(arguments, environment, folder)}")
        for arguments in (["--help"], ["status"]):
            print(
                f"{arguments[0]:<26} %5.2f s, %4.2f s of CPU"
                % min(run(arguments, environment, folder) for _ in range(pairs))
            )


if __name__ == "__main__":
    main()
