"""What a sync costs: data requests, peak memory and seconds, beside what they may be.

    uv run python tests/bench/sync_requests.py                        # 100,000 and 1,000,000 entries of three years
    uv run python tests/bench/sync_requests.py 20000 100000           # other sizes, the smallest first
    uv run python tests/bench/sync_requests.py --command 1000000      # and once through `nexudus-billing sync`
    uv run python tests/bench/sync_requests.py --invoices 1200000     # entries and their 400,000 invoices

The sandbox and each run are processes of their own, so that a peak of memory is that of one run. The runs of a size
follow each other: first sync, nothing new, a day in which 1 % of the entries changed, reconcile with nothing deleted,
reconcile with 30 deletions.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import duckdb

from pipelines.foundation.sql_files import sql_folder

PAGE_SIZE = 1000
DELETIONS = 30
MONTHS = 36

# Commands come by stdin, so that changes have the stamps that a day's changes have.
SERVER = """
import sys, threading
from datetime import UTC, datetime, timedelta
from random import Random
from pipelines.sandbox.server import serve

random = Random(2)
def change(store, count):
    then = store.clock.now()
    store.clock.advance(86_400)
    for position, entry in enumerate(random.sample(store.by_id.items, count)):
        at = then + position * 80_000 // count
        store.update(entry.id, description=f"{entry.description} (amended)", updated_on=at)
def delete(store, count):
    for entry in random.sample(store.by_id.items, count):
        store.delete(entry.id)
def obey(sandbox):
    print(sandbox.base_url, flush=True)
    def read():
        for line in sys.stdin:
            verb, count = line.split()
            with sandbox.store.lock:
                {"change": change, "delete": delete}[verb](sandbox.store, int(count))
            print("done", flush=True)
    threading.Thread(target=read, daemon=True).start()
serve(port=0, size=int(sys.argv[1]), months=int(sys.argv[2]), until=datetime.now(UTC) - timedelta(days=2),
      on_ready=obey)
"""

LANDING = Path(__file__).parent / "loaders" / "landing.py"
READ_AGAIN = (sql_folder("land") / "read_again" / "coworker_invoices.sql").read_text(encoding="utf-8").rstrip("; \n")


class Ran(NamedTuple):
    """A process that ended well: what it wrote, its seconds, its CPU seconds, its peak of memory in MiB."""

    said: str
    seconds: float
    cpu_seconds: float
    mib: float


class Server:
    """A sandbox in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], base_url: str) -> None:
        self.process = process
        self.base_url = base_url

    def tell(self, verb: str, count: int) -> None:
        """Let something happen to `count` entries."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{verb} {count}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def data_request_count(self) -> int:
        """Searches answered so far."""
        with urlopen(f"{self.base_url}/sandbox/requests") as answer:
            return int(json.load(answer)["data_count"])


@contextmanager
def served(size: int) -> Iterator[Server]:
    command = [sys.executable, "-c", SERVER, str(size), str(MONTHS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Server(process, process.stdout.readline().strip())
        finally:
            process.terminate()


def run(command: list[str], environment: dict[str, str]) -> Ran:
    """Run a command to its end."""
    began = time.perf_counter()
    # As users run it: with compiled modules kept, also where the environment forbids that.
    kept = {"PYTHONDONTWRITEBYTECODE": ""}
    with subprocess.Popen(command, env=os.environ | kept | environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:300]} ended with {process.returncode}")
    seconds = time.perf_counter() - began
    return Ran(said, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def environment_for(server: Server, folder: str) -> dict[str, str]:
    return {
        "NEXUDUS_BASE_URL": server.base_url,
        "NEXUDUS_USERNAME": "admin@example.com",
        "NEXUDUS_PASSWORD": "sandbox",
        "NEXUDUS_DATA_DIR": folder,
        "NEXUDUS_PAGE_SIZE": str(PAGE_SIZE),
        "NEXUDUS_REQUEST_SPACING_MS": "0",
        "NEXUDUS_REQUESTS_PER_MINUTE": "0",
        "NEXUDUS_REQUESTS_PER_HOUR": "0",
        "NEXUDUS_TIMEOUT_SECONDS": "120",
    }


def measure(size: int, *, with_command: bool) -> float:
    """Run all of it for a size, print it, and return the peak of the first sync, of the command if it ran, in MiB."""
    pages, changed = size // PAGE_SIZE, size // 100
    with served(size) as server, tempfile.TemporaryDirectory() as folder:
        environment = environment_for(server, folder)

        def land(name: str, most_requests: float, most_mib: float | None = None) -> float:
            said, _, _, mib = run([sys.executable, str(LANDING), name], environment)
            figures: dict[str, Any] = json.loads(said)
            tell(
                size, name, figures["requests"], most_requests, mib, most_mib, figures["seconds"],
                f"{figures['rows']['new']:,} new, {figures['rows']['changed']:,} changed, {figures['deleted']} gone",
            )  # fmt: skip
            return mib

        peak = land("first sync", 1.05 * pages + 20, 500)
        land("nothing new", 5)
        server.tell("change", changed)
        land("1 % changed", 1.1 * -(-changed // PAGE_SIZE) + 15)
        listed = 1.2 * pages / 3 + 15  # every third month, whole
        land("reconcile, nothing deleted", 80 + listed)
        server.tell("delete", DELETIONS)
        land(f"reconcile, {DELETIONS} deleted", 80 + listed + DELETIONS * 25)
        if with_command:
            with tempfile.TemporaryDirectory() as other:
                asked = server.data_request_count()
                command = [str(Path(sys.executable).with_name("nexudus-billing")), "sync"]
                said, seconds, _, mib = run(command, environment | {"NEXUDUS_DATA_DIR": other})
                asked = server.data_request_count() - asked
                tell(size, "nexudus-billing sync", asked, 1.05 * pages + 20, mib, 500, seconds, said.split(":")[0])
                peak = mib
    return peak


def measure_with_invoices(size: int) -> None:
    """Print what the first sync of entries and invoices costs, and that of a day later with nothing new."""
    with served(size) as server, tempfile.TemporaryDirectory() as folder:

        def land(name: str) -> tuple[dict[str, Any], float]:
            said, _, _, mib = run([sys.executable, str(LANDING), name], environment_for(server, folder))
            return json.loads(said), mib

        figures, mib = land("first sync with invoices")
        new = figures["new"]
        most = 1.05 * sum(-(-count // PAGE_SIZE) for count in new.values()) + 40
        rest = f"{new['entries']:,} entries, {new['invoices']:,} invoices"
        tell(size, "first sync with invoices", figures["requests"], most, mib, 500, figures["seconds"], rest)
        with duckdb.connect(str(Path(folder) / "warehouse.duckdb"), read_only=True) as connection:
            ((open_count,),) = connection.execute(f"select count(*) from ({READ_AGAIN})").fetchall()
        server.tell("change", 0)  # a day passes
        figures, mib = land("a day with nothing new, invoices")
        most = 8 + -(-open_count // 100)
        rest = f"{open_count:,} invoices open"
        tell(size, "a day with nothing new", figures["requests"], most, mib, 500, figures["seconds"], rest)


def tell(  # noqa: PLR0917 - the columns of a line
    size: int, name: str, requests: int, most: float, mib: float, most_mib: float | None, seconds: float, rest: str
) -> None:
    memory = f"{mib:>4.0f} MiB" + (f" (at most {most_mib:.0f})" if most_mib else "")
    flag = "" if requests <= most and mib <= (most_mib or mib) else "  TOO MUCH"
    print(
        f"{size:>9,}  {name:<27} {requests:>5} requests (at most {most:.0f}), {memory}, {seconds:.0f} s; {rest}{flag}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--command", action="store_true", help="also a first sync through the command line")
    parser.add_argument("--invoices", action="store_true", help="instead, entries and the invoices that they are of")
    options = parser.parse_args()
    if options.invoices:
        for size in options.sizes:
            measure_with_invoices(size)
        return
    peaks = [measure(size, with_command=options.command) for size in options.sizes]
    for size, peak in zip(options.sizes[1:], peaks[1:], strict=True):
        flag = "" if peak <= 1.2 * peaks[0] else "  TOO MUCH"
        print(
            f"{size:>9,}  peak is {peak / peaks[0]:.2f} times that of {options.sizes[0]:,} entries (at most 1.2){flag}"
        )


if __name__ == "__main__":
    main()
