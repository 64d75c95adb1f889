"""Our sync beside other ways to the same table: CPU, time, memory and requests, in one run on this machine.

    uv run python tests/bench/compare_loaders.py                                  # 200,000 records, pages of 1,000
    uv run python tests/bench/compare_loaders.py --records 200000 1000000 --page-sizes 100 1000

- landing: what our landing assets do, without Dagster; with every check, the raw JSON of each version, and the ledger.
- sync: the whole command, with models, checks and publishing, through Dagster.
- floor: the same pages fetched, their `Records` arrays saved, and one bulk DuckDB statement with an explicit schema.
- floor and raw: the same, and the raw JSON of each record kept with its hash by a second statement.
- plain: httpx, a polars frame a page, one merge. Money goes through floats, as it does for who does not look.
- dlt, dlt arrow: dlt's REST source with merge into DuckDB; and its Arrow path. dlt comes for the run only.

Each first syncs everything; then 1 % of the entries change within a day, and each syncs again. The sandbox is a process
of its own and counts for nothing. What is compared reads by page number, so only ours is exact while the table moves.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

from sync_requests import LANDING, Ran, Server, environment_for, run, served

LOADERS = Path(__file__).parent / "loaders"
DLT = ("uv", "run", "--no-project", "--python", f"{sys.version_info.major}.{sys.version_info.minor}",
       "--with", "dlt[duckdb]==1.31.0", "--with", "duckdb==1.5.5", "--with", "pyarrow", "python")  # fmt: skip
WAYS = ("floor", "floor and raw", "landing", "sync", "plain", "dlt", "dlt arrow")


class Cost(NamedTuple):
    """What a run took."""

    ran: Ran
    requests: int


def measure(server: Server, command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command to its end."""
    asked = server.data_request_count()
    ran = run(command, environment)
    return Cost(ran, server.data_request_count() - asked)


def command_of(way: str, server: Server, token: str, page_size: int, folder: Path) -> list[str]:
    arguments = [server.base_url, token, str(page_size), str(folder)]
    match way:
        case "floor and raw":
            return [sys.executable, str(LOADERS / "floor.py"), *arguments, "raw"]
        case "landing":
            return [sys.executable, str(LANDING)]
        case "sync":
            return [str(Path(sys.executable).with_name("nexudus-billing")), "sync"]
        case "dlt":
            return [*DLT, str(LOADERS / "dlt_merge.py"), *arguments, "rows"]
        case "dlt arrow":
            return [*DLT, str(LOADERS / "dlt_merge.py"), *arguments, "arrow"]
        case _:
            return [sys.executable, str(LOADERS / f"{way}.py"), *arguments]


def compare(records: int, page_size: int, ways: list[str]) -> None:
    """Print a table for a first sync and one for a day's changes."""
    with served(records) as server, tempfile.TemporaryDirectory() as folder:
        form = urlencode({"grant_type": "password", "username": "admin@example.com", "password": "sandbox"})
        with urlopen(f"{server.base_url}/api/token", form.encode()) as answer:
            token = json.load(answer)["access_token"]
        for chapter, rows in (("first sync", records), ("1 % changed", records // 100)):
            if chapter != "first sync":
                server.tell("change", rows)
            costs: dict[str, Cost | None] = {}
            for way in ways:
                own = Path(folder) / way.replace(" ", "_")
                own.mkdir(exist_ok=True)
                environment = environment_for(server, str(own)) | {"NEXUDUS_PAGE_SIZE": str(page_size)}
                try:
                    costs[way] = measure(server, command_of(way, server, token, page_size, own), environment)
                except SystemExit:  # one that cannot load this is no reason to measure no other
                    costs[way] = None
            tell(f"{records:,} records, pages of {page_size:,}, {chapter}", rows, costs)


def tell(title: str, rows: int, costs: dict[str, Cost | None]) -> None:
    ours = costs.get("landing")
    print(f"\n{title}\n")
    print("| way | rows/s | seconds | CPU seconds | CPU, landing = 1 | peak MiB | requests |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for way, cost in costs.items():
        if cost is None:
            print(f"| {way} | failed | | | | | |", flush=True)
            continue
        ran, requests = cost
        ratio = f"{ran.cpu_seconds / ours.ran.cpu_seconds:.2f}" if ours else ""
        print(
            f"| {way} | {rows / ran.seconds:,.0f} | {ran.seconds:.1f} | {ran.cpu_seconds:.1f} | {ratio} "
            f"| {ran.mib:.0f} | {requests} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", nargs="+", type=int, default=[200_000])
    parser.add_argument("--page-sizes", nargs="+", type=int, default=[1000])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    subprocess.run([*DLT, "-c", "import dlt"], check=True)  # fetched before anything is measured
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for records in options.records:
        for page_size in options.page_sizes:
            compare(records, page_size, options.ways)


if __name__ == "__main__":
    main()
