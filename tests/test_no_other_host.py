"""A demo, its report and a dashboard session ask no other host for anything: recorded in a network of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_nothing_but_this_machine_is_asked_for_anything(tmp_path):
    def asked(*arguments):
        script = [sys.executable, str(Path(__file__).with_name("no_other_host.py")), *arguments]
        done = subprocess.run(["unshare", "-rn", *script], cwd=tmp_path, capture_output=True, text=True, check=False)
        if "unshare failed" in done.stderr:
            pytest.skip("no network of its own is to be had here")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert asked("leak") == ["203.0.113.7:443"]
    assert asked() == []
