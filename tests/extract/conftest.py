"""A small tenant on a socket, and clients for it that never really wait."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from fake_time import FakeTime

from pipelines.extract.client import NexudusClient
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import Settings

MakeSettings = Callable[..., Settings]
MakeClient = Callable[..., NexudusClient]


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture(scope="session")
def closing() -> Iterator[ThreadPoolExecutor]:
    """Where servers are stopped: that takes a fifth of a second, and no test need wait for it."""
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def small_sandbox(closing: ThreadPoolExecutor) -> Iterator[Sandbox]:
    """About 600 entries of three months."""
    with ExitStack() as stack:
        yield stack.enter_context(running_sandbox(make_operator(size=600, months=3)))
        closing.submit(stack.pop_all().close)


@pytest.fixture
def settings_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Settings for an address, unpaced and with the sandbox's login unless told otherwise."""
    for name in [name for name in os.environ if name.startswith("NEXUDUS_")]:
        monkeypatch.delenv(name)

    def make(base_url: str, **changes: object) -> Settings:
        values: dict[str, object] = {
            "base_url": base_url,
            "username": "admin@example.com",
            "password": "sandbox",
            "data_dir": tmp_path / "data",
            "request_spacing_ms": 0,
            "requests_per_minute": 0,
            "requests_per_hour": 0,
            "timeout_seconds": 5,
        }
        return Settings(_env_file=None, **(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def client_for(settings_for: MakeSettings, fake_time: FakeTime) -> Iterator[MakeClient]:
    """Clients for a sandbox that sleep on the fake clock; closed at the end."""
    clients: list[NexudusClient] = []

    def make(sandbox: Sandbox, **changes: object) -> NexudusClient:
        settings = settings_for(sandbox.base_url, **changes)
        clients.append(NexudusClient(settings, clock=fake_time.clock, sleep=fake_time.sleep))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
