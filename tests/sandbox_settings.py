"""Settings with which the program reads a sandbox: its login and no pace."""

from pathlib import Path

from pipelines.sandbox.emulator import Sandbox
from pipelines.settings import Settings


def values_for(running: Sandbox, data_dir: Path) -> dict[str, object]:
    """The settings by name."""
    return {
        "base_url": running.base_url,
        "username": running.username,
        "password": running.password,
        "data_dir": data_dir,
        "request_spacing_ms": 0,
        "requests_per_minute": 0,
        "requests_per_hour": 0,
        "timeout_seconds": 5,
    }


def unpaced_settings(running: Sandbox, data_dir: Path, **changes: object) -> Settings:
    """The settings, with these changes."""
    return Settings(_env_file=None, **(values_for(running, data_dir) | changes))  # type: ignore[arg-type]


def environment_for(running: Sandbox, data_dir: Path) -> dict[str, str]:
    """The same as variables of the environment."""
    return {f"NEXUDUS_{name.upper()}": str(value) for name, value in values_for(running, data_dir).items()}
