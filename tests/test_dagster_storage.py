"""Dagster's storage of ours: processes that come first at the same moment make it once."""

import subprocess
import sys

OPEN = """
import sys
from pipelines.dagster_storage import SteadySqliteStorage
print("ready", flush=True)
sys.stdin.read()
SteadySqliteStorage(sys.argv[1])
"""


def test_processes_that_open_a_new_storage_at_once_all_get_it(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    for number in range(3):
        command = [sys.executable, "-c", OPEN, str(tmp_path / f"storage {number}")]
        processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.close()
        for process in processes:
            with process:
                assert process.wait(30) == 0, process.stderr.read()
