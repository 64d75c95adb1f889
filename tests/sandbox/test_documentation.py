"""docs/sandbox.md says what is so: its table, its curl session and its pytest example."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.sandbox.knobs import knobs_as_markdown
from pipelines.sandbox.operators import make_operator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sandbox.md").read_text()


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_table_of_knobs_is_that_of_the_code():
    assert PAGE.partition("### Chance")[2] == knobs_as_markdown().partition("### Chance")[2]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_session_works(start_sandbox):
    sandbox = start_sandbox(make_operator(size=5000))
    script = (
        block("bash").replace("http://127.0.0.1:8321", sandbox.base_url).replace("curl -s ", "curl -s --noproxy '*' ")
    )
    done = subprocess.run(["bash", "-e"], input=script, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    newest, problems, refused = (json.loads(one) for one in done.stdout.replace('}{"', '}\n{"').splitlines())
    assert len(newest["Records"]) == 2
    assert newest["Records"][0]["UpdatedOn"] >= newest["Records"][1]["UpdatedOn"]
    assert {record["IsProblem"] for record in problems["Records"]} == {True}
    assert refused["Message"] == "Name: is a required field"


def test_the_pytest_example_works_in_anybodys_tests(tmp_path):
    reader = (
        "import httpx\n\n"
        "def read_everything(base_url, username, password):\n"
        "    form = {'grant_type': 'password', 'username': username, 'password': password}\n"
        "    with httpx.Client(base_url=base_url, trust_env=False) as http:\n"
        "        token = http.post('/api/token', data=form).json()['access_token']\n"
        "        http.headers['Authorization'] = f'Bearer {token}'\n"
        "        total = []\n"
        "        for page in (1, 2):\n"
        "            try:\n"
        "                answer = http.get('/api/billing/coworkerinvoicehistories', params={'page': page})\n"
        "                total.append(answer.json()['TotalItems'])\n"
        "            except httpx.ReadError:\n"
        "                total.append('broken')\n"
        "        assert total[0] > 3000 and total[1] == 'broken'\n\n"
    )
    (tmp_path / "test_example.py").write_text(reader + block("python"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
