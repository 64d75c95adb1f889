"""A published file of a believable operator, a dashboard that serves it, and a real browser to look at it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock
from playwright.sync_api import sync_playwright
from streamlit.testing.v1 import AppTest
from synced_sandbox import publish_followed_up, publish_year

from pipelines.publish.snapshot import Snapshot, open_snapshot
from pipelines.show import dashboard_app

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
Copied = Callable[..., Path]


@pytest.fixture(scope="session")
def analytics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of a year and a bit, made by a sync of the sandbox; businesses have names."""
    return _made_once(tmp_path_factory, "shown", publish_year)


@pytest.fixture(scope="session")
def followed_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of three months, on whose invoices entries were recorded."""
    return _made_once(tmp_path_factory, "followed-up", publish_followed_up)


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The published file of a folder. Workers that run side by side share it: the first makes it."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with FileLock(shared / f"{name}.lock"):
        folder = shared / name / "data"
        if not (shared / f"{name}.made").exists():
            make(folder)
            (shared / f"{name}.made").touch()
    return folder / "analytics.duckdb"


@pytest.fixture
def opened(monkeypatch):
    """A page of the dashboard of a file, drawn without a browser."""

    def run(file, **query):
        monkeypatch.setenv("NEXUDUS_ANALYTICS", str(file))
        app = AppTest.from_file(dashboard_app.__file__, default_timeout=30)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return run


@pytest.fixture(scope="session")
def snapshot(analytics: Path) -> Iterator[Snapshot]:
    with open_snapshot(analytics) as opened:
        yield opened


@contextmanager
def served(file: Path) -> Iterator[str]:
    """The address of a dashboard of a file, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("nexudus-billing")), "dashboard", "--port", str(port)]
    process = subprocess.Popen([*command, "--file", str(file)], cwd=file.parent, stdout=subprocess.PIPE, stderr=-1)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _wait_for(address: str, process: subprocess.Popen) -> None:
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        assert process.poll() is None, process.stderr.read().decode()
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the dashboard does not answer")


@pytest.fixture(scope="session")
def dashboard(analytics: Path) -> Iterator[str]:
    with served(analytics) as address:
        yield address


@pytest.fixture(scope="session")
def follow_up_dashboard(followed_up: Path) -> Iterator[str]:
    with served(followed_up) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    """A real browser. Without one the tests that need it are skipped, except where CI promises that it is there."""
    if not CHROMIUM.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"{CHROMIUM} is not here: apt-get install chromium, or set CHROMIUM to another")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens pages. At the end of the test: none logged an error, none asked another host for anything."""
    errors, foreign, contexts = [], [], []

    def opened(width=1280, height=900, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: None if is_local(request.url) else foreign.append(request.url))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert (errors, foreign) == ([], [])


def is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:http://127.0.0.1", "file:"))


@pytest.fixture(scope="session")
def copied(analytics: Path) -> Copied:
    """A copy of the published file in which SQL has changed something, put to a place in one step."""

    def copy(to: Path, *changes: str) -> Path:
        building = to.with_name(f".{to.name}.copy")
        building.write_bytes(analytics.read_bytes())
        with duckdb.connect(str(building)) as connection:
            for change in changes:
                connection.execute(change)
        building.replace(to)
        return to

    return copy


@pytest.fixture(scope="session")
def workbench(copied: Copied, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A dashboard whose file the tests swap, and that file."""
    file = copied(tmp_path_factory.mktemp("workbench") / "analytics.duckdb")
    with served(file) as address:
        yield address, file
