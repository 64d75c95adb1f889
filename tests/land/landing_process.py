"""A process that lands what a sandbox has, to be killed, held up or starved: the landing asset without Dagster."""

import os
import subprocess
import sys
from datetime import timedelta

from sandbox_settings import environment_for

SCRIPT = """
import resource, sys
from datetime import datetime, timedelta
from pipelines.errors import PipelineError
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.windows import Window
from pipelines.land import pull as pulling
from pipelines.land.runs import recorded_run
from pipelines.land.warehouse import LANDING, open_warehouse, warehouse_of
from pipelines.settings import Settings

settings = Settings(_env_file=None)
history = Window(datetime.fromisoformat(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
pulling._PAGES_PER_PART = 3
try:
    with NexudusClient(settings) as client, open_warehouse(settings, limits=LANDING) as connection:
        if len(sys.argv) > 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
        source = EntitySource(client, settings, HISTORIES)
        pull = pulling.Pull(connection, source, settings.page_size, sys.argv[3], timedelta(minutes=5), workers=2,
                            writing_alone=warehouse_of(settings).writing_alone)
        with recorded_run(pull, client, "sync"):
            pull.read(UPDATED_ON, pulling.planned_windows(
                connection, HISTORIES, UPDATED_ON, history, lookback=timedelta(0), page_size=settings.page_size))
except PipelineError as error:
    sys.exit(str(error))
"""


def start(sandbox, data_dir, history, run_id, *more, page_size=50):
    """The process, started."""
    environment = {"PATH": os.environ["PATH"], "NEXUDUS_PAGE_SIZE": str(page_size)}
    environment |= environment_for(sandbox, data_dir)
    span = [instant.isoformat() for instant in history]
    command = [sys.executable, "-c", SCRIPT, *span, run_id, *map(str, more)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def history_of(sandbox):
    """All that may be read of a sandbox by its clock."""
    now = sandbox.clock.now_at().replace(second=0)
    return now - timedelta(days=400), now - timedelta(minutes=5)
