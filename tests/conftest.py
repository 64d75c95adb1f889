"""What all tests share: nothing of the machine's own settings reaches them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Modules that tests share hold asserts too; pytest explains a failed one only in modules that it rewrites.
_TESTS = Path(__file__).parent
pytest.register_assert_rewrite(
    *(path.stem for path in _TESTS.rglob("*.py") if not path.stem.startswith(("test_", "conftest")))
)


def pytest_configure() -> None:
    """A core for each worker, where there are no more: threads that DuckDB and polars would start only get in the way.

    What a test starts inherits it.
    """
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    cores = sorted(os.sched_getaffinity(0)) if worker and hasattr(os, "sched_getaffinity") else []
    if cores and count >= len(cores):
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> Iterator[None]:
    """NEXUDUS_* and DAGSTER_HOME of whoever runs the tests may name a real tenant, so no test sees them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NEXUDUS_") or name == "DAGSTER_HOME"]:
            patch.delenv(name)
        yield
