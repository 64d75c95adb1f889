"""How each stage grows with the warehouse: a day's sync, the models, publishing, the dashboard's questions.

    uv run python tests/bench/growth.py [--rows 100000 1000000 10000000]

The warehouse is made inside DuckDB (`model_growth.SYNTHESIS`), its ledger closed up to now; then a sandbox serves 2,000
new entries, and a sync lands them. Each stage runs in a process of its own, so that its time and its peak of memory are
its own. An exponent of 1 is proportional to the rows; the day's sync should be near 0.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path

from sync_requests import LANDING, Ran, environment_for, run, served

NEW_ROWS = 2000

FILL = """
import sys
from datetime import UTC, datetime, timedelta
from model_growth import SYNTHESIS
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings

with open_warehouse(Settings(_env_file=None)) as connection:
    connection.execute(SYNTHESIS.format(rows=int(sys.argv[1])))
    connection.execute('''
        update land.coworker_invoice_histories set first_seen_at = seen_at, content_hash = md5(id::varchar)
    ''')
    connection.execute('''
        insert into land.coworker_invoice_history_versions by name
        select id, updated_on, seen_at, content_hash, json_object('Id', id, 'Description', description) as raw
        from land.coworker_invoice_histories
    ''')
    # All but the last days is closed, and the sandbox's entries are younger than that.
    connection.execute("insert into land.windows by name select 'CoworkerInvoiceHistory' as entity, "
                       "'UpdatedOn' as axis, $a as from_at, $b as to_at",
                       {"a": datetime(2012, 1, 1, tzinfo=UTC), "b": datetime.now(UTC) - timedelta(days=40)})
    connection.execute("checkpoint")
"""
MODEL = """
from pipelines.land.warehouse import open_warehouse
from pipelines.model.building import build_all
from pipelines.settings import Settings

with open_warehouse(Settings(_env_file=None)) as connection:
    broken = [check.name for one in build_all(connection) for check in one.checks if not check.passed]
    assert not broken, broken
"""
PUBLISH = """
from pipelines.land.warehouse import open_warehouse
from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import publish
from pipelines.settings import Settings

settings = Settings(_env_file=None)
with open_warehouse(settings) as connection:
    publish(connection, load_models(), settings.analytics_path, personal_data=False)
"""
# What a page of the dashboard asks: figures of all businesses by month, one business by day, the newest problems.
LOOK = """
from pipelines.publish.snapshot import open_snapshot
from pipelines.settings import Settings

with open_snapshot(Settings(_env_file=None).analytics_path) as snapshot:
    snapshot.rows("select month_start_date, sum(attempt_count) from monthly_payment_failure_rates group by all")
    snapshot.rows("select * from daily_payment_failure_rates where business_id = 7 order by day_date")
    snapshot.rows("select * from unrecognised_entries limit 50")
    snapshot.rows("select * from history_entries where business_id = 7 order by created_at desc limit 50")
"""
STAGES = (("day's sync", LANDING.read_text(encoding="utf-8")), ("model", MODEL), ("publish", PUBLISH), ("look", LOOK))


def run_script(script: str, *arguments: str, environment: dict[str, str]) -> Ran:
    """A script in a process of its own."""
    path = {"PYTHONPATH": str(Path(__file__).parent)}
    return run([sys.executable, "-c", script, *arguments], environment | path)


def measure(rows: int, folder: str) -> dict[str, Ran]:
    """Every stage at one size."""
    with served(NEW_ROWS) as server:
        environment = environment_for(server, folder)
        run_script(FILL, str(rows), environment=environment)
        return {name: run_script(script, "day", environment=environment) for name, script in STAGES}


def exponent(small: float, large: float, factor: float) -> float:
    """The p of `large = small * factor ** p`."""
    return math.log(large / small, factor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[100_000, 1_000_000, 10_000_000])
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    print("| rows | stage | seconds | CPU seconds | peak MiB | exponent of CPU | of memory |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    before: tuple[int, dict[str, Ran]] | None = None
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            costs = measure(rows, folder)
        for name, cost in costs.items():
            exponents = "| | |"
            if before:
                factor, then = rows / before[0], before[1][name]
                exponents = (
                    f"| {exponent(then.cpu_seconds, cost.cpu_seconds, factor):.2f} "
                    f"| {exponent(then.mib, cost.mib, factor):.2f} |"
                )
            print(
                f"| {rows:,} | {name} | {cost.seconds:.1f} | {cost.cpu_seconds:.1f} | {cost.mib:.0f} {exponents}",
                flush=True,
            )
        before = rows, costs


if __name__ == "__main__":
    main()
