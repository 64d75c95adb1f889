"""The sandbox on a socket: in a thread for tests and demos, in the foreground for the command line."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn

from pipelines.sandbox.emulator import Sandbox, make_sandbox
from pipelines.sandbox.endpoints import application
from pipelines.sandbox.entities import Operator
from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.tokens import User

_HOST = "127.0.0.1"


@contextmanager
def running_sandbox(
    operator: Operator | None = None, knobs: Knobs | None = None, *, port: int = 0, user: User | None = None
) -> Iterator[Sandbox]:
    """A sandbox that answers on `sandbox.base_url` until the block ends.

    Without an operator it emulates the default one, of two years and some 40,000 entries, up to June 2025.
    Raises OSError when the port is taken.
    """
    sandbox = make_sandbox(operator, knobs, user)
    with socket.create_server((_HOST, port)) as listener:
        sandbox.base_url = f"http://{_HOST}:{listener.getsockname()[1]}"
        server = uvicorn.Server(_configuration(sandbox))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            _wait_until(lambda: server.started or not thread.is_alive())
            yield sandbox
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def serve(
    *,
    port: int = 8321,
    username: str = "admin@example.com",
    password: str = "sandbox",  # noqa: S107 - the emulator's documented default, guarding nothing
    size: int = 40_000,
    months: int = 24,
    seed: int = 1,
    until: datetime | None = None,
    knobs: Knobs | None = None,
) -> None:
    """Answer on the port until interrupted. The history ends `until` (now), where the sandbox's clock starts."""
    operator = make_operator(seed=seed, size=size, months=months, until=until or datetime.now(UTC))
    sandbox = make_sandbox(operator, knobs, User(username, password))
    sandbox.store.warm()
    with socket.create_server((_HOST, port)) as listener:
        uvicorn.Server(_configuration(sandbox)).run(sockets=[listener])


def _configuration(sandbox: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        application(sandbox),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        # Both headers are the sandbox's own to set: the Date is its clock's.
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def _wait_until(ready: Any) -> None:  # noqa: ANN401
    while not ready():
        time.sleep(0.005)
