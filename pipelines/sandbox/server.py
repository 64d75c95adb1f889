"""The sandbox on a socket: in a thread for tests and demos, in the foreground for the command line."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import uvicorn

from pipelines.sandbox.application import application
from pipelines.sandbox.emulator import Sandbox, make_sandbox
from pipelines.sandbox.entities import Operator
from pipelines.sandbox.knobs import Knobs, make_knobs
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.tokens import User

_HOST = "127.0.0.1"
_LOOK_SECONDS = 0.01
_GRACE_SECONDS = 1.0


@contextmanager
def running_sandbox(
    operator: Operator | None = None, knobs: Knobs | None = None, *, port: int = 0, user: User | None = None
) -> Iterator[Sandbox]:
    """A sandbox that answers on `sandbox.base_url` until the block ends.

    Without an operator it emulates the default one, of two years and some 40,000 entries, up to June 2025. An operator
    belongs to one sandbox: its rows change with it. Raises OSError when the port is taken.
    """
    sandbox = make_sandbox(operator, knobs, user)
    with socket.create_server((_HOST, port)) as listener:
        sandbox.base_url = f"http://{_HOST}:{listener.getsockname()[1]}"
        server = _BriskServer(_configuration(sandbox))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield sandbox
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def serve(
    *,
    port: int = 8321,
    username: str = "admin@example.com",
    password: str = "sandbox",  # noqa: S107 - the emulator's documented default, guarding nothing
    totp_secret: str | None = None,
    size: int = 40_000,
    months: int = 24,
    seed: int = 1,
    until: datetime | None = None,
    dense_minute_entries: int = 0,
    reported_twice_share: float = 0,
    profile: str = "calm",
    on_ready: Callable[[Sandbox], object] | None = None,
    **knobs: Any,  # noqa: ANN401 - each of its own type, see Knobs
) -> None:
    """Answer on the port (0: a free one) until interrupted; `on_ready` gets the sandbox once it listens.

    The history ends `until` (now), where the sandbox's clock starts. `knobs` are those of `Knobs`, by name; None leaves
    one as the profile has it; `seed` is that of the tenant and of all chance. Raises ValueError that names a knob that
    does not fit, OSError when the port is taken.
    """
    chosen = make_knobs(profile, seed=seed, **knobs)
    with socket.create_server((_HOST, port)) as listener:
        operator = make_operator(
            seed=seed,
            size=size,
            months=months,
            until=until or datetime.now(UTC),
            dense_minute_entries=dense_minute_entries,
            reported_twice_share=reported_twice_share,
        )
        sandbox = make_sandbox(operator, chosen, User(username, password, totp_secret))
        sandbox.store.warm()
        # What exists now is never garbage; without this each full collection would walk all of it.
        gc.freeze()
        sandbox.base_url = f"http://{_HOST}:{listener.getsockname()[1]}"
        if on_ready is not None:
            on_ready(sandbox)
        # uvicorn has stopped in good order by the time it passes Ctrl-C on.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(_configuration(sandbox)).run(sockets=[listener])


class _BriskServer(uvicorn.Server):
    """Stops within 10 ms or so: uvicorn's own rounds of 100 ms add up where every test starts a server."""

    async def main_loop(self) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - set from another thread, as uvicorn means it to be
            await asyncio.sleep(_LOOK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        give_up_at = time.monotonic() + _GRACE_SECONDS
        while self.server_state.tasks and time.monotonic() < give_up_at:  # noqa: ASYNC110 - uvicorn's set, no event
            await asyncio.sleep(_LOOK_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()
        # One more turn of the loop, in which the closed connections say so.
        await asyncio.sleep(_LOOK_SECONDS)


def _configuration(sandbox: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        application(sandbox),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        # Both headers are the sandbox's own to set: the Date is its clock's.
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
