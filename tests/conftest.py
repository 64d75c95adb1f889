"""What all tests share: nothing of the machine's own settings reaches them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# A container may have Python keep no compiled modules: each command that a test starts would compile 1,800 of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Modules that tests share hold asserts too; pytest explains a failed one only in modules that it rewrites.
_TESTS = Path(__file__).parent
pytest.register_assert_rewrite(
    *(path.stem for path in _TESTS.rglob("*.py") if not path.stem.startswith(("test_", "conftest")))
)


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> Iterator[None]:
    """NEXUDUS_* and DAGSTER_HOME of whoever runs the tests may name a real tenant, so no test sees them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NEXUDUS_") or name == "DAGSTER_HOME"]:
            patch.delenv(name)
        yield
