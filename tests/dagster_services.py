"""Dagster's real daemon and webserver over the project's workspace.yaml, each a process of its own, for one test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox_settings import environment_for

from pipelines.orchestrate.in_process import instance_template
from pipelines.sandbox.emulator import Sandbox

PROJECT = Path(__file__).parents[1]
LOCATION = {"repositoryLocationName": "nexudus-billing", "repositoryName": "__repository__"}
_PATIENCE_SECONDS = 240


@dataclass
class Services:
    """Daemon and webserver over one DAGSTER_HOME and one data directory."""

    folder: Path
    environment: dict[str, str]
    port: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "dagster"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, *arguments: str) -> None:
        command = [str(Path(sys.executable).with_name(name)), *arguments]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_daemon(self) -> None:
        self.start("dagster-daemon", "run", "-w", str(PROJECT / "workspace.yaml"))

    def start_webserver(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start("dagster-webserver", "-w", str(PROJECT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(self.port))
        wait_for(lambda: self.ask("{ version }"), "the webserver")

    def kill(self, name: str) -> None:
        """The process and all that it started, as a power cut or a service manager would."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def ask(self, question: str, **variables: Any) -> Any:
        """The data of a GraphQL answer."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": question, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body = json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None
        assert "errors" not in body, body
        return body["data"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        answer = self.ask(
            "{ runsOrError { ... on Runs { results { id jobName status tags { key value } } } } }",
        )
        found: list[dict[str, Any]] = answer["runsOrError"]["results"]
        return found

    def wait_for_run(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The newest run that is as described."""
        return wait_for(lambda: next((run for run in self.runs() if is_it(run)), None), "a run", self.logs)

    def logs(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in self.folder.glob("dagster-*.log"))


def wait_for(look: Callable[[], Any], what: str, why: Callable[[], str] = str) -> Any:
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what} did not come\n{why()}")


@contextmanager
def dagster_services(folder: Path, sandbox: Sandbox, **settings: object) -> Iterator[Services]:
    """Not started yet: a home from the template, a data directory, the settings of the sandbox and of the test."""
    services = Services(folder, {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}})
    services.home.mkdir(parents=True)
    (services.home / "dagster.yaml").write_bytes(instance_template().read_bytes())
    services.environment |= {
        "DAGSTER_HOME": str(services.home),
        "NEXUDUS_HISTORY_START": "2024-01-01",
    }
    services.environment |= environment_for(sandbox, folder / "data")
    services.environment |= {f"NEXUDUS_{name.upper()}": str(value) for name, value in settings.items()}
    with ExitStack() as stack:
        stack.callback(lambda: [services.kill(name) for name in list(services.processes)])
        yield services
