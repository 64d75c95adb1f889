"""The folders of `deploy/` and the pages that show them, as far as they run without root, Docker or systemd."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from pipelines.sandbox.pytest_plugin import sandbox, sandbox_knobs, sandbox_operator, start_sandbox  # noqa: F401

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
MANY_MACHINES = str(DEPLOY / "many-machines" / "requirements.txt")
LAUNCH = """
import sys
from dagster import DagsterInstance, DagsterRun
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

code = RepositoryPythonOrigin(sys.argv[1], ModuleCodePointer("pipelines.definitions", "definitions", None), None)
with DagsterInstance.get() as instance:
    run = instance.add_run(DagsterRun(job_name="sync", job_code_origin=JobPythonOrigin("sync", code)))
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    print(run.run_id)
"""
HAPPENED = """
import sys
from dagster import DagsterInstance

with DagsterInstance.get() as instance:
    print(instance.get_run_by_id(sys.argv[1]).status.value)
"""


class Docker(BaseHTTPRequestHandler):
    """As much of Docker's API as a launcher needs; notes what container is asked for."""

    asked: dict

    def do_GET(self):
        self._answer({"ApiVersion": "1.44"} if self.path.endswith("/version") else {"Id": "c1", "State": {}})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "/containers/create" in self.path:
            type(self).asked = json.loads(body)
        self._answer({"Id": "c1", "Warnings": []})

    def _answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): ...


@pytest.mark.slow
def test_many_machines_launch_a_run_with_an_image_its_settings_and_dagsters_own_command(tmp_path, sandbox):  # noqa: F811
    """The container that Docker is asked for, run as a process: its command, its environment, its `.env`."""
    template = yaml.safe_load((DEPLOY / "many-machines" / "dagster.yaml").read_text(encoding="utf-8"))
    names = [value["env"] for value in template.pop("storage")["postgres"]["postgres_db"].values() if value != 5432]
    home, folder = tmp_path / "home", tmp_path / "app"
    home.mkdir()
    folder.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(template), encoding="utf-8")
    (folder / ".env").write_text(
        f"NEXUDUS_BASE_URL={sandbox.base_url}\nNEXUDUS_USERNAME={sandbox.username}\nNEXUDUS_PASSWORD={sandbox.password}\n"
        f"NEXUDUS_REQUEST_SPACING_MS=0\nNEXUDUS_DATA_DIR={tmp_path / 'data'}\n",
        encoding="utf-8",
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), Docker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {"DAGSTER_HOME": str(home), "DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}"}
    with_docker = ["uv", "run", "--with-requirements", MANY_MACHINES, "python", "-c"]

    def run(*command, cwd=ROOT, **environment):
        done = subprocess.run(
            command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run_id = run(*with_docker, LAUNCH, sys.executable, **os.environ | where | dict.fromkeys(names, "x"))
    server.shutdown()
    server.server_close()

    asked = Docker.asked
    assert asked["Image"] == "nexudus-billing"
    assert asked["Entrypoint"] == [""]
    assert [each.split(":")[1] for each in asked["HostConfig"]["Binds"]] == ["/data", "/app/.env"]
    given = dict(each.split("=", 1) for each in asked["Env"])
    assert not any(name.startswith("NEXUDUS") for name in given)
    bare = {name: value for name, value in os.environ.items() if not name.startswith("NEXUDUS")}
    # The launcher's class is read again by the run, and is in an environment of its own.
    run(
        "uv",
        "run",
        "--project",
        str(ROOT),
        "--with-requirements",
        MANY_MACHINES,
        *asked["Cmd"],
        cwd=folder,
        **bare | given | where,
    )
    assert run(*with_docker, HAPPENED, run_id, **os.environ | where) == "SUCCESS"
    assert (tmp_path / "data" / "analytics.duckdb").exists()


def shown(page, first_words):
    """The block of a page that has these words, line by line."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if first_words in block).splitlines()


def test_the_steps_for_one_machine_make_the_user_and_the_folders_that_the_units_name():
    lines = shown("docs/running.md", "deploy/one-machine/*.service")
    words = ("useradd", "uv sync", "-u nexudus", "enable")
    steps = {word: number for number, line in enumerate(lines) for word in words if word in line}
    assert steps["uv sync"] < steps["useradd"] < steps["-u nexudus"] < steps["enable"]
    for unit in (DEPLOY / "one-machine").glob("*.service"):
        text = unit.read_text(encoding="utf-8")
        (folder,) = re.findall(r"^WorkingDirectory=(.*)$", text, re.MULTILINE)
        assert any(line.endswith(f" {folder}") for line in lines)
        (settings,) = re.findall(r"^EnvironmentFile=(.*)$", text, re.MULTILINE)
        assert any(settings in line for line in lines)


def test_every_template_that_starts_dagsters_pages_starts_them_read_only():
    files = [file for file in DEPLOY.rglob("*") if file.is_file()]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    starting = [line for line in lines if re.search(r"dagster-webserver[ ,].*-w", line)]
    assert len(starting) >= 3
    assert [line for line in starting if "--read-only" not in line] == []


HARDENING = ("UMask=0077", "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "CapabilityBoundingSet=\n")


def test_every_unit_is_hardened():
    for unit in DEPLOY.rglob("*.service"):
        text = unit.read_text(encoding="utf-8")
        assert [line for line in HARDENING if line not in text] == [], unit.name


@pytest.mark.slow
def test_the_procfile_finds_the_workspace_from_where_the_page_starts_it(tmp_path):
    """With `ls` in place of Dagster: each process is started in the folder of workspace.yaml."""
    page = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"`honcho (-d \. -f deploy/one-machine/Procfile start)`", page)
    (tmp_path / "uv").write_text("#!/bin/sh\nls workspace.yaml; sleep 1\n", encoding="utf-8")
    (tmp_path / "uv").chmod(0o755)
    done = subprocess.run(
        [shutil.which("uvx"), "--quiet", "honcho", *words.split()],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.count("| workspace.yaml\n") == 2, done


def test_the_image_of_many_machines_has_the_libraries_that_belong_to_its_dagster():
    """They are numbered 0.29.27 where Dagster is 1.13.27."""
    _, minor, patch = version("dagster").split(".")
    lines = Path(MANY_MACHINES).read_text(encoding="utf-8").splitlines()
    found = dict(line.split("==") for line in lines if line.startswith("dagster-"))
    assert found == dict.fromkeys(("dagster-docker", "dagster-postgres"), f"0.{int(minor) + 16}.{patch}")


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("Dockerfile")), ids=lambda file: file.parent.name)
def test_an_image_copies_files_that_are_there_and_ends_as_a_user_of_its_own(file):
    text = file.read_text(encoding="utf-8")
    folder = ROOT if file.parent.name == "docker" else file.parent
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert [word for word in copied if not word.startswith("--") and not (folder / word).exists()] == []
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "10001"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "files"),
    [
        (
            "vendor.github-workflows",
            [*(ROOT / ".github" / "workflows").glob("*.yml"), *DEPLOY.rglob("nightly-sync.yml")],
        ),
        ("vendor.compose-spec", [DEPLOY / "docker" / "compose.yaml"]),
    ],
)
def test_files_that_others_read_keep_to_their_schemas(schema, files):
    command = [shutil.which("uvx"), "--quiet", "check-jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_units(tmp_path):
    """With this Python in place of the installed program, and a user that is here."""
    for unit in DEPLOY.rglob("nexudus-billing*"):
        text = re.sub(r"/opt/nexudus-billing/.venv/bin/\S+", sys.executable, unit.read_text(encoding="utf-8"))
        (tmp_path / unit.name.replace("@", "@acme")).write_text(
            text.replace("User=nexudus", "User=root"), encoding="utf-8"
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
