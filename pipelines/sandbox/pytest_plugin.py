"""Fixtures that start the sandbox for anybody's tests.

In a `conftest.py` or a test module:

    pytest_plugins = ["pipelines.sandbox.pytest_plugin"]

    def test_reading(sandbox):
        httpx.post(f"{sandbox.base_url}/api/token", data={...})
        sandbox.knobs.error_500_rate = 0.1

Each test gets a sandbox of its own, with some 2,000 entries up to 30 June 2025 12:00 UTC, where its clock stands still.
Override `sandbox_operator` or `sandbox_knobs` to get another one; call `start_sandbox` for several.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.entities import Operator
from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.sandbox.tokens import User

StartSandbox = Callable[..., Sandbox]


@pytest.fixture
def sandbox_operator() -> Operator:
    """The tenant that `sandbox` emulates: override it to have another."""
    return make_operator(size=2000, months=6)


@pytest.fixture
def sandbox_knobs() -> Knobs:
    """The behaviour that `sandbox` begins with: override it to have another."""
    return Knobs()


@pytest.fixture
def start_sandbox() -> Iterator[StartSandbox]:
    """A function like `running_sandbox` whose sandboxes, with clocks that stand still, end with the test."""
    with ExitStack() as stack:

        def start(
            operator: Operator | None = None, knobs: Knobs | None = None, *, port: int = 0, user: User | None = None
        ) -> Sandbox:
            sandbox = stack.enter_context(running_sandbox(operator, knobs, port=port, user=user))
            sandbox.clock.freeze(sandbox.store.until)
            return sandbox

        yield start


@pytest.fixture
def sandbox(start_sandbox: StartSandbox, sandbox_operator: Operator, sandbox_knobs: Knobs) -> Sandbox:
    """A running sandbox."""
    return start_sandbox(sandbox_operator, sandbox_knobs)


@pytest.fixture
def sandbox_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The same sandbox, with the `NEXUDUS_*` variables set so that the program finds it."""
    monkeypatch.setenv("NEXUDUS_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("NEXUDUS_USERNAME", sandbox.username)
    monkeypatch.setenv("NEXUDUS_PASSWORD", sandbox.password)
    return sandbox
