"""A process that records entries, to be killed. Forked from a server that has imported what it takes: that is quick."""

import multiprocessing
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from typing import Any

from pipelines.record.delivery import record_entries
from pipelines.record.entries import Entry
from pipelines.settings import Settings

_context = multiprocessing.get_context("forkserver")
# DuckDB imports pandas where there is one, at the first statement with a parameter.
_context.set_forkserver_preload(["pipelines.record.delivery", "pandas"])


def start(settings: dict[str, Any], entries: Sequence[Entry], *, minutes_ahead: int = 0) -> BaseProcess:
    """A started process; it ends with code 0 when every entry is confirmed, else with 1."""
    process = _context.Process(target=_record, args=(settings, list(entries), minutes_ahead), daemon=True)
    process.start()
    return process


def _record(settings: dict[str, Any], entries: list[Entry], minutes_ahead: int) -> None:
    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(minutes=minutes_ahead)

    delivery = record_entries(Settings(_env_file=None, **settings), entries, clock=clock)  # type: ignore[arg-type]
    if delivery.problem is not None:
        raise SystemExit(1)
