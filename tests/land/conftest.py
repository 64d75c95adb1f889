"""An empty warehouse, settings and clients for a sandbox, and the fixtures of the package."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from account_synced import SyncedAccount
from sandbox_settings import unpaced_settings
from tested_warehouse import empty_warehouse, new_warehouse

from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.pytest_plugin import (  # noqa: F401 - pytest finds fixtures by their names here
    sandbox,
    sandbox_knobs,
    sandbox_operator,
    start_sandbox,
)
from pipelines.settings import Settings


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as connection:
        yield connection


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., Settings]:
    """Settings for a sandbox: its login, no pace, everything kept below the test's own folder."""

    def make(running: Sandbox, **changes: object) -> Settings:
        return unpaced_settings(running, tmp_path / "data", **(new_warehouse(tmp_path) | changes))

    return make


@pytest.fixture
def histories_of(settings_for: Callable[..., Settings]) -> Iterator[Callable[..., EntitySource]]:
    """The endpoint of a sandbox, read by the real client, which only pretends to wait."""
    with ExitStack() as stack:

        def connect(running: Sandbox, **changes: object) -> EntitySource:
            now = datetime(2026, 1, 1, tzinfo=UTC)

            def sleep(seconds: float) -> None:
                nonlocal now
                now += timedelta(seconds=seconds)

            settings = settings_for(running, **changes)
            client = stack.enter_context(NexudusClient(settings, clock=lambda: now, sleep=sleep))
            return EntitySource(client, settings, HISTORIES)

        yield connect


@pytest.fixture
def landed(
    warehouse: duckdb.DuckDBPyConnection,
    sandbox: Sandbox,  # noqa: F811 - the fixture
    histories_of: Callable[..., EntitySource],
) -> SyncedAccount:
    """The sandbox's account, and the warehouse that it is synced into."""
    return SyncedAccount(warehouse, sandbox, histories_of(sandbox))
