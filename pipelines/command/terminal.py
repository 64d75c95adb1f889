"""What the command line shows and how it ends: consoles, progress, errors as one sentence with an exit code."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from typer import Abort
from typer.exceptions import TyperException

from pipelines.errors import PipelineError, TryAgainLaterError, WrongUseError, causes
from pipelines.foundation.shown_text import shown

if TYPE_CHECKING:
    from pipelines.foundation.telling import Tell


class _Console(Console):
    """A console on which no text of others is a command."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=shown(segment.text))


# Piped to a file or a pager, tables need not fit a terminal.
out = _Console(width=None if sys.stdout.isatty() else 160)
err = _Console(stderr=True, soft_wrap=True)
_SECONDS_BETWEEN_LINES = 60
# Typer catches Ctrl-C and returns this.
_INTERRUPTED = 130
_STOPPED = "Stopped; what was read so far is kept, and the next sync continues from there."


class Verbosity:
    """Whether stack traces and Dagster's own log are shown, and whether lines are JSON."""

    is_on = False
    is_json = False


def program() -> str:
    """How the person calls this program: through uv in a checkout, else by its name."""
    return "uv run nexudus-billing" if "UV_RUN_RECURSION_DEPTH" in os.environ else "nexudus-billing"


def say(text: str) -> None:
    """A line for the person, as it is."""
    _line(out, "info", text)


def warn(text: str, level: str = "warning") -> None:
    """A line on stderr, as it is."""
    _line(err, level, text)


def _line(console: Console, level: str, text: str) -> None:
    if not Verbosity.is_json:
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        return
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "message": shown(text)}
    console.file.write(json.dumps(line, ensure_ascii=False) + "\n")
    console.file.flush()


def say_json(value: object) -> None:
    """A value for a machine."""
    import msgspec  # noqa: PLC0415 - needed here only

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def plain(value: object) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)


@contextmanager
def progress(first: str = "Starting") -> Iterator["Tell"]:
    """How far a run is: a bar of the rows that the API counts on a terminal, else a line a minute on stderr."""
    if Verbosity.is_json or not err.is_terminal:
        yield _lines()
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    ) as bar:
        task = bar.add_task(first, total=None)

        def show(result: object) -> None:
            rows = _rows(result)
            if rows:
                bar.update(task, description=_words(result), completed=rows[0], total=rows[1])
            else:
                bar.update(task, description=_words(result))

        yield show


def _lines() -> "Tell":
    said_at = time.monotonic()

    def show(result: object) -> None:
        nonlocal said_at
        if time.monotonic() - said_at > _SECONDS_BETWEEN_LINES:
            said_at = time.monotonic()
            rows = _rows(result)
            warn(_words(result) + (f", {rows[0]:,} of {rows[1]:,} rows" if rows else "") + ".", "info")

    return show


def _rows(result: object) -> tuple[int, int] | None:
    """Rows read so far and rows to read, where a pull tells."""
    from pipelines.land.pull import PullReport  # noqa: PLC0415 - what told has imported it, and nobody else has to

    if not isinstance(result, PullReport):
        return None
    done = result.rows.new + result.rows.changed + result.rows.same
    return done, done + result.remaining_count


def _words(result: object) -> str:
    """What a run does after it has told this result."""
    from pipelines.land.landed import Landed, Waiting  # noqa: PLC0415 - see above
    from pipelines.land.pull import PullReport  # noqa: PLC0415 - see above
    from pipelines.model.building import BuiltModel  # noqa: PLC0415 - see above

    match result:
        case PullReport():
            return "Reading"
        case Waiting():
            return str(result)
        case Landed():
            return "Building the figures"
        case BuiltModel(model):
            return f"Built {model.name}"
        case _:
            return "Publishing"


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
        told = _told(error)
        return _fail(str(told), told.exit_code)
    return code if code != _INTERRUPTED else _fail(_STOPPED, TryAgainLaterError.exit_code)


def _told(error: Exception) -> PipelineError:
    """An error that no stage knows, as one that a person is told."""
    # During a query of DuckDB's; what lies between may have dropped the KeyboardInterrupt behind it.
    if any(isinstance(cause, KeyboardInterrupt) or str(cause) == "Query interrupted" for cause in causes(error)):
        return TryAgainLaterError(_STOPPED)
    from pipelines.foundation.system_errors import explained  # noqa: PLC0415 - imports DuckDB; --help should not

    unexpected = f"Unexpected {type(error).__name__}: {error} (run with --verbose to see where)."
    return explained(error) or PipelineError(unexpected)


def _fail(sentence: str, exit_code: int) -> int:
    if Verbosity.is_on:
        traceback.print_exc()
    warn(sentence, "error")
    return exit_code


def _fail_usage(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "nexudus-billing"
    message = getattr(error, "format_message", lambda: str(error))()
    if message:
        warn(f"{message} Run `{command} --help` to see what there is.", "error")
    return WrongUseError.exit_code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
