"""Settings for a sandbox, and entries for its invoices."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_settings import unpaced_settings

from pipelines.record.entries import Entry
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.entities import Operator
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.pytest_plugin import sandbox, sandbox_knobs, start_sandbox  # noqa: F401 - fixtures by name
from pipelines.settings import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def sandbox_operator() -> Operator:
    return make_operator(size=300, months=3)


@pytest.fixture
def settings_for(tmp_path: Path) -> MakeSettings:
    """Settings for a sandbox: its login, no pace, and no time for a doubt to settle unless told otherwise."""

    def make(running: Sandbox, data_dir: Path = tmp_path / "data", **changes: object) -> Settings:
        return unpaced_settings(running, data_dir, **({"settle_minutes": 0} | changes))

    return make


@pytest.fixture
def entries_for() -> Callable[[Sandbox, int], list[Entry]]:
    """So many entries that notify, each on an invoice of its own."""

    def make(running: Sandbox, count: int) -> list[Entry]:
        invoices = list(running.store.invoices)[:count]
        return [Entry(invoice_id=one, name="Called", description="No answer.", notify=True) for one in invoices]

    return make
