"""How long publishing takes, and in how much memory: the file and Parquet, of 1 and 10 million entries.

    uv run python tests/bench/publish_speed.py [ROWS ...] [--keep FOLDER]

Each warehouse is made and modelled in a process of its own, and published in another, so that its peak of memory is
its own. `--keep` leaves the last one's published file in a folder, for `tests/bench/dashboard_speed.py`.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from model_growth import SYNTHESIS

from pipelines.land.layout import create_tables
from pipelines.model.building import build_all
from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import publish
from pipelines.publish.parquet import publish_parquet

GOAL_SECONDS, GOAL_GIB = 20, 2.0
LEDGER = """
insert into land.windows (entity, axis, from_at, to_at, row_count, request_count, run_id, closed_at)
select
    'CoworkerInvoiceHistory', 'UpdatedOn', min(updated_on), max(updated_on) + interval 1 minute, count(*), 10000,
    'bench', max(updated_on)
from land.coworker_invoice_histories
"""


def connected(folder: Path) -> duckdb.DuckDBPyConnection:
    """The warehouse of a folder, on two threads."""
    connection = duckdb.connect(str(folder / "warehouse.duckdb"))
    connection.execute("set threads = 2; set memory_limit = '4GiB'; set timezone = 'UTC'")
    return connection


def prepare(rows: int, folder: Path) -> None:
    """Make and model a warehouse."""
    with connected(folder) as connection:
        create_tables(connection)
        connection.execute(SYNTHESIS.format(rows=rows))
        connection.execute(LEDGER)
        build_all(connection, "Europe/Madrid")


def measure(rows: int, folder: Path) -> None:
    """Publish it, and print seconds and memory."""
    target = folder / "analytics.duckdb"
    with connected(folder) as connection:
        connection.execute("set variable reporting_timezone = 'Europe/Madrid'")
        begun, cpu_begun = time.perf_counter(), time.process_time()
        made = publish(connection, load_models(), target, personal_data=False)
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{rows:,} entries published in {seconds:.1f} s ({cpu_seconds:.1f} s of processor; goal {GOAL_SECONDS} s), "
        f"{memory:.2f} GiB at most (goal {GOAL_GIB}), file {made.byte_count / 1024**2:.0f} MiB"
    )
    begun = time.perf_counter()
    publish_parquet(target)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{rows:,} entries as Parquet in {time.perf_counter() - begun:.1f} s, {memory:.2f} GiB at most")


def main() -> None:
    """Prepare and measure each size, in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[1_000_000, 10_000_000])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--do", choices=["prepare", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        {"prepare": prepare, "measure": measure}[options.do](options.rows[0], options.folder)
        return
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            for step in ("prepare", "measure"):
                subprocess.run([sys.executable, __file__, str(rows), "--do", step, "--in", folder], check=True)
            if options.keep and rows == options.rows[-1]:
                options.keep.mkdir(parents=True, exist_ok=True)
                Path(folder, "analytics.duckdb").replace(options.keep / "analytics.duckdb")


if __name__ == "__main__":
    main()
