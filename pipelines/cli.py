"""The command line: the verbs, thin. Each loads the settings, calls a stage and prints what came of it."""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer.exceptions import TyperException

from pipelines.errors import PipelineError, TryAgainLaterError, WrongUseError
from pipelines.sandbox.command import sandbox_command
from pipelines.settings import load_settings, utc_now

if TYPE_CHECKING:
    from pipelines.land.pull import OnStep, PullReport
    from pipelines.sandbox.emulator import Sandbox

app = typer.Typer(
    help="Nexudus invoice history, brought home and turned into payment-failure figures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True, soft_wrap=True)
_STOPPED = "Stopped; what was landed is kept, and the next sync goes on from there."


class _Verbosity:
    """Whether stack traces and Dagster's own log are shown."""

    is_on = False


@app.callback()
def options(
    *, verbose: Annotated[bool, typer.Option("--verbose", help="Show stack traces and Dagster's log.")] = False
) -> None:
    """Options that go before every verb."""
    _Verbosity.is_on = verbose


@app.command()
def demo() -> None:
    """Start a sandbox of the API, sync two years of its history into data/demo/, and show the failure rates."""
    from pipelines.demo import run_demo  # noqa: PLC0415 - Dagster takes seconds to import; --help should not

    folder = load_settings().data_dir / "demo"
    with _progress() as on_step:
        result = run_demo(folder, on_step, verbose=_Verbosity.is_on)
    out.print(result.table)
    out.print(f"Published file: {result.path}", soft_wrap=True, highlight=False)
    out.print("Ask it anything in any DuckDB client, for instance:", highlight=False)
    out.print(result.example, soft_wrap=True, highlight=False, markup=False)


@app.command()
def sync(
    since: Annotated[str | None, typer.Option(help="Pull nothing before this day (YYYY-MM-DD).")] = None,
    until: Annotated[str | None, typer.Option(help="Pull nothing from this day on (YYYY-MM-DD).")] = None,
    repull: Annotated[
        tuple[str, str] | None, typer.Option(metavar="FROM TO", help="Pull these days again, whatever the ledger says.")
    ] = None,
) -> None:
    """Pull what the ledger lacks, model, check, publish."""
    from pipelines.land.landed_assets import PullConfig  # noqa: PLC0415 - see demo
    from pipelines.sync import run_sync  # noqa: PLC0415 - see demo

    settings = load_settings()
    repull_from, repull_to = repull or (None, None)
    config = PullConfig(since=_day(since), until=_day(until), repull_from=_day(repull_from), repull_to=_day(repull_to))
    with _progress() as on_step:
        report = run_sync(settings, on_step, config, verbose=_Verbosity.is_on)
    out.print(str(report), highlight=False, soft_wrap=True)


@app.command()
def reconcile(
    days: Annotated[
        int | None, typer.Option(min=1, help="Compare only so many days back; all history by default.")
    ] = None,
) -> None:
    """Find deletions and misses by count, repair them, and publish."""
    from pipelines.land.landed_assets import ReconcileConfig  # noqa: PLC0415 - see demo
    from pipelines.sync import run_reconcile  # noqa: PLC0415 - see demo

    settings = load_settings()
    with _progress() as on_step:
        report = run_reconcile(settings, on_step, ReconcileConfig(days=days), verbose=_Verbosity.is_on)
    out.print(str(report), highlight=False, soft_wrap=True)


@app.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Say what is covered, what is missing, how fresh it is, and what deserves a look."""
    from pipelines.land.status import read_status  # noqa: PLC0415 - see demo
    from pipelines.land.warehouse import open_warehouse  # noqa: PLC0415 - see demo

    settings = load_settings()
    if not Path(settings.warehouse_path).exists():
        raise WrongUseError(f"There is no warehouse at {settings.warehouse_path} yet: run `nexudus-billing sync`.")
    published = settings.analytics_path
    published_at = datetime.fromtimestamp(published.stat().st_mtime, UTC) if published.exists() else None
    with open_warehouse(settings, read_only=True, wait_seconds=5) as connection:
        state = read_status(connection, datetime.combine(settings.history_start, time(), UTC), published_at, utc_now())
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(state)).decode() + "\n")
        return
    for name, value in msgspec.structs.asdict(state).items():
        if name not in {"warnings", "gaps"}:
            out.print(f"{name.replace('_', ' '):<16} {_plain(value)}", soft_wrap=True, highlight=False)
    for start, end in state.gaps:
        out.print(f"{'gap':<16} {_plain(start)} to {_plain(end)}", soft_wrap=True, highlight=False)
    for warning in state.warnings:
        err.print(warning, highlight=False)


def _say_where(sandbox: "Sandbox") -> None:
    out.print(f"The sandbox answers on {sandbox.base_url}; stop it with Ctrl-C.", highlight=False, soft_wrap=True)


def _mendable(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb, with what its options can get wrong said as wrong use."""

    @wraps(verb)
    def run(**given: object) -> None:
        try:
            verb(**given)
        except (ValueError, OSError) as error:
            raise WrongUseError(f"The sandbox cannot start: {error}.") from None

    return run


app.command("sandbox")(_mendable(sandbox_command(typer.Option, _say_where)))


def main() -> None:
    """Entry point of the command: runs a verb and turns its failure into a sentence and an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        return int(typer.main.get_command(app).main(arguments, "nexudus-billing", standalone_mode=False) or 0)
    except PipelineError as error:
        return _fail(str(error), error.exit_code)
    except TyperException as error:
        return _fail_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(_STOPPED, TryAgainLaterError.exit_code)
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence, not a stack trace
        return _fail(f"Unexpected {type(error).__name__}: {error} (run with --verbose to see where).", 1)


def _fail(sentence: str, exit_code: int) -> int:
    if _Verbosity.is_on:
        traceback.print_exc()
    err.print(sentence, highlight=False, markup=False)
    return exit_code


def _fail_usage(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "nexudus-billing"
    message = getattr(error, "format_message", lambda: str(error))()
    if message:
        err.print(f"{message} Run `{command} --help` to see what there is.", highlight=False, markup=False)
    elif context:
        err.print(context.get_help())
    return WrongUseError.exit_code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _progress() -> Iterator["OnStep"]:
    """A bar on stderr of the rows that are landed of those that the API counts."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
        console=err,
    ) as bar:
        task = bar.add_task("Pulling", total=None)

        def on_step(report: "PullReport") -> None:
            done = report.rows.new + report.rows.changed + report.rows.same
            bar.update(task, completed=done, total=done + report.remaining_count)
            if report.remaining_count == 0:
                bar.update(task, description="Pulled, now modelling")

        yield on_step


def _day(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).isoformat()
    except ValueError:
        raise WrongUseError(f"{text!r} is not a date: write it as YYYY-MM-DD, for instance 2026-01-31.") from None


def _plain(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)
