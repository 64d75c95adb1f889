"""What the command line shows and how it ends: consoles, progress, errors as one sentence with an exit code."""

import signal
import sys
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
    """A bar on stderr of the rows that are landed of those that the API counts; none before the first answer."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
        console=err,
    )
    task = bar.add_task("Pulling", total=None)

    def on_step(report: "PullReport") -> None:
        bar.start()
        done = report.rows.new + report.rows.changed + report.rows.same
        bar.update(task, completed=done, total=done + report.remaining_count)
        if report.remaining_count == 0:
            bar.update(task, description="Pulled, now modelling")

    try:
        yield on_step
    finally:
        if bar.live.is_started:
            bar.stop()


def run_verb(verb: Callable[[], int | None]) -> int:
    """Run a verb; the exit code, after its failure was told in one sentence on stderr."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return verb() or 0
    except PipelineError as error:
        return _fail(str(error), error.exit_code)
    except TyperException as error:
        return _fail_usage(error)
    except (KeyboardInterrupt, Abort):
        return _fail(_STOPPED, TryAgainLaterError.exit_code)
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence, not a stack trace
        return _fail(f"Unexpected {type(error).__name__}: {error} (run with --verbose to see where).", 1)


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
