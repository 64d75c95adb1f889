"""What Dagster adds to a daily run with nothing new, and what that is made of.

    uv run python tests/bench/dagster_overhead.py [--stock]

A process of its own, as a schedule or the command line starts one, does a sync of an unchanged sandbox. The same work
is then done without Dagster in the same way (landing, every model with its checks, publishing). `--stock` uses the
SQLite storage of Dagster itself instead of the project's. Wall clock seconds, and in brackets processor seconds, which
a busy machine does not stretch.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
LIMIT_SECONDS = 10

WITH_DAGSTER = """
import json, time
marks = [("start", time.perf_counter(), time.process_time())]
def mark(name): marks.append((name, time.perf_counter(), time.process_time()))
import dagster as dg
mark("import dagster")
from pipelines.settings import load_settings
from pipelines.definitions import build_definitions
from pipelines.orchestrate.in_process import use_dagster_home
mark("import the project")
settings = load_settings()
definitions = build_definitions(settings, pool=None)
job = definitions.resolve_job_def("sync")
mark("make the definitions")
use_dagster_home(settings)
instance = dg.DagsterInstance.get()
mark("open the instance")
month = time.strftime("%Y-%m-01", time.gmtime())
tags = {"dagster/asset_partition_range_start": month, "dagster/asset_partition_range_end": month}
quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
result = job.execute_in_process(instance=instance, tags=tags, run_config=quiet)
assert result.success
mark("run the steps")
instance.dispose()
print(json.dumps(marks))
"""

WITHOUT_DAGSTER = """
import json, time
marks = [("start", time.perf_counter(), time.process_time())]
def mark(name): marks.append((name, time.perf_counter(), time.process_time()))
from datetime import timedelta
from pipelines.extract.client import NexudusClient
from pipelines.extract.axes import UPDATED_ON
from pipelines.land.pull import Pull
from pipelines.extract.histories import HISTORIES
from pipelines.land.landed_assets import PullConfig, _windows
from pipelines.land.pull_settings import history_until, pull_for
from pipelines.land.warehouse import open_warehouse
from pipelines.model.building import build_all
from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import publish
from pipelines.settings import load_settings, utc_now
mark("import the project")
settings = load_settings()
models = load_models()
mark("read the models")
with NexudusClient(settings) as client, open_warehouse(settings) as connection:
    pull = pull_for(settings, connection, client, "bench", HISTORIES)
    pull.read(UPDATED_ON, _windows(connection, settings, history_until(settings, utc_now()), PullConfig()))
    build_all(connection, settings.reporting_timezone, models=models)
    publish(connection, models, settings.analytics_path, personal_data=False)
mark("pull, model, check, publish")
print(json.dumps(marks))
"""


def measure(code: str, environment: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each part of a process; `interpreter` is what lies around them."""
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    whole = time.perf_counter() - began
    if ran.returncode:
        sys.exit(ran.stderr)
    marks = json.loads(ran.stdout.splitlines()[-1])
    parts = {
        name: (wall - marks[at][1], processor - marks[at][2]) for at, (name, wall, processor) in enumerate(marks[1:])
    }
    inside = sum(wall for wall, _ in parts.values())
    return parts | {"start and end the interpreter": (whole - inside, marks[0][2])}


def show(title: str, rounds: list[dict[str, tuple[float, float]]]) -> tuple[float, float]:
    """Print the quickest round, part by part; its wall and processor seconds."""
    best = min(rounds, key=lambda parts: sum(wall for wall, _ in parts.values()))
    total = sum(wall for wall, _ in best.values())
    processor_total = sum(processor for _, processor in best.values())
    print(f"{title}: {total:.1f} s ({processor_total:.1f} s of processor)")
    for name, (wall, processor) in best.items():
        print(f"  {name:<32}{wall:6.2f} ({processor:.2f})")
    return total, processor_total


def main() -> None:
    """Measure both ways and compare."""
    from pipelines.orchestrate.in_process import instance_template  # noqa: PLC0415 - not part of what is measured
    from pipelines.sandbox.operators import make_operator  # noqa: PLC0415
    from pipelines.sandbox.server import running_sandbox  # noqa: PLC0415
    from pipelines.settings import utc_now  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name, running_sandbox(make_operator(until=utc_now())) as sandbox:
        folder = Path(name)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("NEXUDUS_", "DAGSTER"))
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment |= {
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),  # as an installation has it: compiled once
            "DAGSTER_HOME": str(folder / "dagster"),
            "NEXUDUS_BASE_URL": sandbox.base_url,
            "NEXUDUS_USERNAME": sandbox.username,
            "NEXUDUS_PASSWORD": sandbox.password,
            "NEXUDUS_DATA_DIR": str(folder / "data"),
            "NEXUDUS_REQUEST_SPACING_MS": "0",
            "NEXUDUS_REQUESTS_PER_MINUTE": "0",
            "NEXUDUS_REQUESTS_PER_HOUR": "0",
        }
        home = folder / "dagster"
        home.mkdir()
        stock = "telemetry:\n  enabled: false\n"
        template = instance_template().read_text(encoding="utf-8")
        (home / "dagster.yaml").write_text(stock if "--stock" in sys.argv else template, encoding="utf-8")
        first = [str(Path(sys.executable).with_name("nexudus-billing")), "sync"]
        subprocess.run(first, env=environment, cwd=folder, check=True, capture_output=True)
        measure(WITH_DAGSTER, environment)  # warms the caches
        with_it = show("With Dagster", [measure(WITH_DAGSTER, environment) for _ in range(ROUNDS)])
        without = show("Without", [measure(WITHOUT_DAGSTER, environment) for _ in range(ROUNDS)])
    wall, processor = with_it[0] - without[0], with_it[1] - without[1]
    verdict = "under" if wall < LIMIT_SECONDS else "OVER"
    print(f"Dagster's part: {wall:.1f} s, {verdict} {LIMIT_SECONDS} s ({processor:.1f} s of processor)")


if __name__ == "__main__":
    main()
