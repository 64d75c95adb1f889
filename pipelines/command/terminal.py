"""What the command line shows and how it ends: consoles, progress, errors as one sentence with an exit code."""

import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer import Abort
from typer.exceptions import TyperException

from pipelines.errors import PipelineError, TryAgainLaterError, WrongUseError

if TYPE_CHECKING:
    from pipelines.land.pull import OnStep, PullReport

# Piped to a file or a pager, tables need not fit a terminal.
out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, soft_wrap=True)
_SECONDS_BETWEEN_LINES = 60
# Typer catches Ctrl-C and returns this.
_INTERRUPTED = 130
_STOPPED = "Stopped; what was landed is kept, and the next sync goes on from there."


class Verbosity:
    """Whether stack traces and Dagster's own log are shown."""

    is_on = False


def say(text: str) -> None:
    """A line for the person, as it is."""
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def say_json(value: object) -> None:
    """A value for a machine."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def plain(value: object) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)


@contextmanager
def progress() -> Iterator["OnStep"]:
    """How far a pull is, of the rows that the API counts: a bar on a terminal, else a line a minute on stderr."""
    if not err.is_terminal:
        yield _lines()
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    ) as bar:
        task = bar.add_task("Asking", total=None)

        def on_step(report: "PullReport") -> None:
            done = _row_count(report)
            what = "Pulling" if report.remaining_count else "Pulled, now modelling"
            bar.update(task, description=what, completed=done, total=done + report.remaining_count)

        yield on_step


def _lines() -> "OnStep":
    said_at = time.monotonic()

    def on_step(report: "PullReport") -> None:
        nonlocal said_at
        if time.monotonic() - said_at > _SECONDS_BETWEEN_LINES:
            said_at = time.monotonic()
            done = _row_count(report)
            err.print(f"Pulled {done:,} of {done + report.remaining_count:,} rows.", highlight=False)

    return on_step


def _row_count(report: "PullReport") -> int:
    return report.rows.new + report.rows.changed + report.rows.same


def run_verb(verb: Callable[[], int | None]) -> int:
    """Run a verb; the exit code, after its failure was told in one sentence on stderr."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = verb() or 0
    except PipelineError as error:
        return _fail(str(error), error.exit_code)
    except TyperException as error:
        return _fail_usage(error)
    except (KeyboardInterrupt, Abort):
        return _fail(_STOPPED, TryAgainLaterError.exit_code)
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence, not a stack trace
        return _fail(f"Unexpected {type(error).__name__}: {error} (run with --verbose to see where).", 1)
    return code if code != _INTERRUPTED else _fail(_STOPPED, TryAgainLaterError.exit_code)


def _fail(sentence: str, exit_code: int) -> int:
    if Verbosity.is_on:
        traceback.print_exc()
    err.print(sentence, highlight=False, markup=False)
    return exit_code


def _fail_usage(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "nexudus-billing"
    message = getattr(error, "format_message", lambda: str(error))()
    if message:
        err.print(f"{message} Run `{command} --help` to see what there is.", highlight=False, markup=False)
    return WrongUseError.exit_code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
