"""Several sync processes over different months, writing to one DuckLake at once, beside one process over all of them.

    uv run --extra lake --group lake python tests/bench/lake_workers.py [--records 100000] [--kind s3] [--late-ms 200]

`--late-ms` lets every answer come that late, as one from a server far away does: that is what workers can share, while
the turns of the lake are what they cannot. The pace is off; a real account's would bind long before.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
from sync_requests import Server, environment_for, served
from tested_warehouse import as_environment, new_warehouse

from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

WORKER = """
import sys
from datetime import datetime, timedelta
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.windows import Window
from pipelines.land.pull import Pull
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.settings import Settings

settings = Settings(_env_file=None)
window = Window(*map(datetime.fromisoformat, sys.argv[1:3]))
with NexudusClient(settings) as client, open_warehouse(settings) as connection:
    source = EntitySource(client, settings, HISTORIES)
    settle = timedelta(minutes=settings.settle_minutes)
    alone = warehouse_of(settings).writing_alone
    Pull(connection, source, settings.page_size, sys.argv[1], settle, writing_alone=alone).read(UPDATED_ON, [window])
"""


def quarters(server: Server, parts: int) -> list[tuple[str, str]]:
    """The history in parts of as many entries each, by the times that the sandbox tells."""
    with urlopen(f"{server.base_url}/sandbox/truth") as answer:
        instants = sorted(row["UpdatedOn"][:16] + ":00+00:00" for row in json.load(answer))
    edges = [instants[len(instants) * part // parts] for part in range(parts)] + ["2100-01-01T00:00:00+00:00"]
    return list(pairwise(edges))


def measure(server: Server, folder: Path, kind: str, parts: list[tuple[str, str]]) -> tuple[float, float, list[object]]:
    """Seconds and CPU seconds of as many processes as there are parts; and what the lake then holds."""
    warehouse = new_warehouse(folder, kind)
    settings = Settings(_env_file=None, data_dir=folder / "own", **warehouse)
    with open_warehouse(settings):
        pass
    began, before = time.perf_counter(), os.times()
    workers = []
    for number, part in enumerate(parts):
        environment = environment_for(server, str(folder / f"{len(parts)}-{number}")) | as_environment(warehouse)
        workers.append(subprocess.Popen([sys.executable, "-c", WORKER, *part], env=os.environ | environment))
    codes = [worker.wait() for worker in workers]
    if any(codes):
        raise SystemExit("a worker failed")
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    with open_warehouse(settings) as connection:
        found = list(
            connection.execute(
                "select count(*), count(distinct id), md5(string_agg(content_hash, '' order by id)) "
                "from land.coworker_invoice_histories"
            ).fetchall()[0]
        )
        (snapshots,) = connection.execute("select count(*) from ducklake_snapshots('warehouse')").fetchall()[0]
        scan = read_seconds(connection)
        began_upkeep = time.perf_counter()
        warehouse_of(settings).keep_up(connection, timedelta())
        print(
            f"    {snapshots} snapshots; a scan took {scan:.2f} s, upkeep {time.perf_counter() - began_upkeep:.1f} s, "
            f"a scan afterwards {read_seconds(connection):.2f} s"
        )
    return seconds, cpu, found


def read_seconds(connection: duckdb.DuckDBPyConnection) -> float:
    began = time.perf_counter()
    connection.execute(
        "select name, count(*), max(length(description)) from land.coworker_invoice_histories group by all"
    )
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--kind", choices=["postgres", "s3"], default="postgres")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--late-ms", type=float, default=0)
    options = parser.parse_args()
    with served(options.records) as server, tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        if options.late_ms:
            knobs = json.dumps({"slow_rate": 1.0, "slow_seconds": options.late_ms / 1000}).encode()
            urlopen(Request(f"{server.base_url}/sandbox/knobs", knobs, method="PATCH")).close()
        print(f"{time.strftime('%Y-%m-%d')}, {options.kind}, answers {options.late_ms:g} ms late")
        results = []
        for count in (1, options.workers):
            seconds, cpu, found = measure(server, Path(name), options.kind, quarters(server, count))
            print(
                f"{count} worker(s) landed {found[0]:,} rows ({found[1]:,} Ids) in {seconds:.1f} s, {cpu:.1f} s of CPU",
                flush=True,
            )
            results.append((seconds, found))
        (alone, one), (together, many) = results
        print(f"ratio {alone / together:.2f}; same rows: {one == many}")


if __name__ == "__main__":
    main()
