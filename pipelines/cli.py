"""The command line: the verbs, thin. Each loads the settings, calls a stage and says what came of it."""

import os
import sys
from datetime import UTC, datetime, time
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipelines.command.terminal import Verbosity, out, plain, program, progress, run_verb, say, say_json, warn
from pipelines.errors import WrongUseError

if TYPE_CHECKING:
    from pipelines.command.sync import SyncReport
    from pipelines.land.losses import Loss
    from pipelines.land.status import LastRun, Status
    from pipelines.settings import Settings

# A sync may hold the warehouse when a monitor asks; most end within this.
_CHECK_WAIT_SECONDS = 30

app = typer.Typer(
    help="Syncs a Nexudus account's invoice history into DuckDB and publishes payment-failure figures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def load_settings() -> "Settings":
    """The settings, imported when a verb needs them: `--help` should not wait for them."""
    from pipelines import settings  # noqa: PLC0415 - see above

    return settings.load_settings()


@app.callback()
def options(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show stack traces and Dagster's log.")] = False,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="json: each line is an object with at, level and message.")
    ] = "text",
) -> None:
    """Options for every command; they go before it."""
    Verbosity.is_on, Verbosity.is_json = verbose, log_format == "json"


@app.command()
def demo() -> None:
    """Start a sandbox of the API, sync two years of its history into data/demo/, and show the failure rates."""
    from pipelines.command.demo import run_demo  # noqa: PLC0415 - Dagster takes seconds to import; --help should not

    folder = load_settings().data_dir / "demo"
    with progress("Making two years of history") as show:
        result = run_demo(folder, show, verbose=Verbosity.is_on)
    out.print(result.table)
    say(f"Published file: {result.path}")
    say(f"Next: `{program()} dashboard` shows it in a browser. Or query it with any DuckDB client, for instance:")
    say(result.example)


@app.command()
def sync(
    since: Annotated[str | None, typer.Option(help="Read nothing before this day (YYYY-MM-DD).")] = None,
    until: Annotated[str | None, typer.Option(help="Read nothing from this day on (YYYY-MM-DD).")] = None,
    repull: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="FROM TO",
            help="Read these days again, even if they were read before; TO is the first day left out.",
        ),
    ] = None,
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build the figures and publish even if nothing has changed.")
    ] = False,
    new_address: Annotated[
        bool, typer.Option("--new-address", help="Accept that NEXUDUS_BASE_URL has changed for the same account.")
    ] = False,
) -> None:
    """Read from the API what is missing, build and check the figures, publish."""
    from pipelines.command.sync import run_sync  # noqa: PLC0415 - see demo
    from pipelines.land.landed_assets import PullConfig  # noqa: PLC0415 - see demo

    settings = load_settings()
    repull_from, repull_to = repull or (None, None)
    config = PullConfig(
        since=_day(since),
        until=_day(until),
        repull_from=_day(repull_from),
        repull_to=_day(repull_to),
        new_address=new_address,
    )
    for start, end in ((config.since, config.until), (config.repull_from, config.repull_to)):
        if start and end and start >= end:
            raise WrongUseError(f"{start[:10]} is not before {end[:10]}: the second day is the first one left out.")
    with progress() as show:
        report = run_sync(settings, show, config, rebuild=rebuild, verbose=Verbosity.is_on)
    _say_report(report)
    say(f"Next: `{program()} dashboard` shows the figures, `{program()} status` what is covered.")


@app.command()
def reconcile(
    days: Annotated[
        int | None, typer.Option(min=1, help="Compare only the last N days; all history by default.")
    ] = None,
    *,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Show a loss too large to believe, and accept it when you say so.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --accept-loss: accept it without being asked.")] = False,
) -> None:
    """Compare counts with the API, repair deletions and missed entries, and publish."""
    from pipelines.command.sync import run_reconcile  # noqa: PLC0415 - see demo
    from pipelines.land.landed_assets import ReconcileConfig  # noqa: PLC0415 - see demo
    from pipelines.land.losses import LossRefusedError  # noqa: PLC0415 - see demo

    settings = load_settings()
    config = ReconcileConfig(days=days)
    try:
        with progress() as show:
            report = run_reconcile(settings, show, config, verbose=Verbosity.is_on)
    except LossRefusedError as error:
        if not accept_loss or error.loss.count >= error.loss.live_count:
            raise
        _show_loss(error.loss)
        if not yes and not typer.confirm("Mark these as deleted?"):
            raise
        config = ReconcileConfig(days=days, accepted_loss=error.loss.count)
        with progress() as show:
            report = run_reconcile(settings, show, config, verbose=Verbosity.is_on)
    _say_report(report)
    say(f"Next: `{program()} dashboard` shows the figures, `land.reconciliations` in the warehouse what was found.")


def _say_report(report: "SyncReport") -> None:
    say(str(report))
    for trouble in report.troubles:
        warn(trouble)


def _show_loss(loss: "Loss") -> None:
    table = Table("business", "month created", loss.entity.noun)
    for row in loss.rows:
        table.add_row(str(row.business_id or "not known"), row.month or "not known", str(row.record_count))
    out.print(table)
    say(f"{loss.count} of {loss.live_count} {loss.entity.noun} are no longer in the API.")


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Say only what is wrong; exit code 1 if the figures need attention.")
    ] = False,
) -> None:
    """Show what is covered, what is missing, how fresh the data is, and warnings."""
    import msgspec  # noqa: PLC0415 - see demo

    from pipelines.extract.histories import HISTORIES  # noqa: PLC0415 - see demo
    from pipelines.land.invoice_access import invoice_state  # noqa: PLC0415 - see demo
    from pipelines.land.status import read_status  # noqa: PLC0415 - see demo
    from pipelines.land.warehouse import open_warehouse, warehouse_of  # noqa: PLC0415 - see demo
    from pipelines.model import wording_warnings  # noqa: PLC0415 - see demo
    from pipelines.publish import bucket, releases  # noqa: PLC0415 - see demo
    from pipelines.settings import utc_now  # noqa: PLC0415 - see demo

    settings = load_settings()
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        raise WrongUseError(f"There is no warehouse at {warehouse.name} yet: run `nexudus-billing sync`.")
    published = settings.analytics_path
    published_at = releases.published_at(published)
    with open_warehouse(settings, read_only=True, wait_seconds=_CHECK_WAIT_SECONDS if check else 5) as connection:
        start = datetime.combine(settings.history_start, time(), UTC)
        state = read_status(connection, HISTORIES, start, published_at, utc_now())
        invoices = invoice_state(connection, settings)
        unknown_words = list(wording_warnings.warnings(connection, personal_data=settings.publish_personal_data))
    changed = [*filter(None, [releases.change_since(published), bucket.trouble(settings)])]
    state = msgspec.structs.replace(
        state,
        invoices=invoices.sentence,
        alarms=[*state.alarms, *changed],
        warnings=[*state.warnings, *filter(None, [invoices.warning]), *changed, *unknown_words],
    )
    if as_json:
        say_json(state)
    elif check:
        _show_alarms(state)
    else:
        _show_status(state)
    raise typer.Exit(1 if check and state.alarms else 0)


def _show_alarms(state: "Status") -> None:
    if not state.alarms:
        say(f"OK: data until {plain(state.covered_until)}, published {plain(state.published_at)}.")
    for alarm in state.alarms:
        warn(alarm)


def _show_status(state: "Status") -> None:
    import msgspec  # noqa: PLC0415 - see demo

    shown = msgspec.structs.asdict(state) | {"last_run": None} | _last_run_line(state.last_run)
    for name, value in shown.items():
        if value is not None and not isinstance(value, list):
            say(f"{name.replace('_', ' '):<26} {plain(value)}")
    for start, end in state.gaps:
        say(f"{'gap':<26} {plain(start)} to {plain(end)}")
    for warning in state.warnings:
        warn(warning)


def _last_run_line(run: "LastRun | None") -> dict[str, str]:
    if run is None:
        return {}
    return {
        "last_run": f"{run.kind} of {plain(run.started_at)}: {run.outcome or 'not ended'}, {run.new_count or 0} new, "
        f"{run.changed_count or 0} changed, {run.data_request_count or 0} requests "
        f"(at least {run.fewest_data_request_count or 0} were needed), run {run.run_id}"
    }


@app.command()
def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Probe undocumented behaviour of the account's API; changes nothing, under 25 requests."""
    from pipelines.extract.doctor import examine, exit_code  # noqa: PLC0415 - see demo

    findings = examine(load_settings())
    if as_json:
        say_json(findings)
    else:
        table = Table("probe", "", "found", "setting to change", "meaning")
        for finding in findings:
            texts = (finding.value, finding.setting_to_change or "", finding.explanation)
            style = {"ok": "green", "warn": "yellow", "fail": "red"}.get(finding.verdict, "dim")
            table.add_row(finding.name, Text(finding.verdict, style), *map(escape, texts))
        out.print(table)
        if exit_code(findings) == 0:
            say(f"Next: change the settings that are named, if any, then `{program()} sync`.")
    raise typer.Exit(exit_code(findings))


@app.command()
def explain(
    business: Annotated[str, typer.Argument(help="Name of a business or part of it, or its business_id.")],
    currency: Annotated[str, typer.Argument(help="Currency code; 'none' for entries without one.")],
    month: Annotated[str, typer.Argument(help="Month, as YYYY-MM.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the entries behind a month's failure rate, and the rule that decided each."""
    from pipelines.model.explain import explain as explain_rate  # noqa: PLC0415 - see demo
    from pipelines.model.explain import find_business, parse_month  # noqa: PLC0415 - see demo
    from pipelines.publish.snapshot import open_published  # noqa: PLC0415 - see demo

    code = None if currency.lower() == "none" else currency.upper()
    with open_published(load_settings().analytics_path) as connection:
        explanation = explain_rate(connection, find_business(connection, business), code, parse_month(month))
    if as_json:
        say_json(explanation)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "entry", "invoice", "at (UTC)", "amount", "reason", "rule"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "amount" else "left")
    table.add_column("text", overflow="fold")
    for entry in explanation.entries:
        table.add_row(
            entry.part,
            str(entry.entry_id),
            plain(entry.invoice_id),
            f"{entry.created_at:%Y-%m-%d %H:%M}",
            plain(entry.invoice_amount),
            entry.failure_reason or entry.excluded_because or "",
            escape(f"{entry.rule_priority} {entry.rule_name}") if entry.rule_name else "",
            escape(f"{entry.name}: {entry.description}"),
        )
    out.print(table)
    ratio = explanation.attempt_failure_ratio
    say(
        f"{explanation.failed_attempt_count} of {explanation.attempt_count} attempts failed"
        + (f", {ratio:.1%}" if ratio is not None else "")
        + f". Not counted: {explanation.pending_count} pending, {explanation.excluded_attempt_count} left out by rule "
        f"(rules {explanation.rules_version})."
    )


@app.command()
def record(
    invoice_id: Annotated[int | None, typer.Option(help="Invoice to add the entry to.")] = None,
    name: Annotated[str | None, typer.Option(help="Title of the entry.")] = None,
    description: Annotated[str | None, typer.Option(help="Text of the entry.")] = None,
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from", help="A .csv (invoice_id,name,description,is_problem,notify) or .jsonl file of entries."
        ),
    ] = None,
    result: Annotated[Path | None, typer.Option(help="File for the result of --from; beside it by default.")] = None,
    *,
    problem: Annotated[bool, typer.Option("--problem", help="Flag the entry as a problem.")] = False,
    notify: Annotated[bool, typer.Option("--notify", help="Have Nexudus notify the customer.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and show what would be sent; send nothing.")
    ] = False,
) -> None:
    """Create history entries on invoices, each exactly once, or reported as unconfirmed."""
    from pipelines.command import record_verbs  # noqa: PLC0415 - see demo

    if from_file is None and result is None:
        entry = record_verbs.entry_of(invoice_id, name, description, is_problem=problem, notify=notify)
        record_verbs.record_one(load_settings(), entry, dry_run=dry_run)
    elif from_file is None or any((invoice_id is not None, name is not None, description is not None, problem, notify)):
        raise WrongUseError("Give the entries either in a file (--from, --result) or with the other options, not both.")
    else:
        record_verbs.record_file(load_settings(), from_file, result, dry_run=dry_run)


@app.command()
def escalate(
    limit: Annotated[int, typer.Option(min=0, help="The most follow-ups in one run.")] = 50,
    *,
    send: Annotated[bool, typer.Option("--send", help="Create the entries instead of listing them.")] = False,
    notify: Annotated[
        bool, typer.Option("--notify", help="Notify customers although the invoices themselves cannot be read.")
    ] = False,
) -> None:
    """List, or send, follow-ups on invoices whose payment keeps failing."""
    from pipelines.command import record_verbs  # noqa: PLC0415 - see demo

    record_verbs.escalate(load_settings(), limit, send=send, notify=notify)


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 8501,
    file: Annotated[Path | None, typer.Option(help="Published file to show; NEXUDUS_ANALYTICS by default.")] = None,
    address: Annotated[
        str, typer.Option(help="Address to serve on; by default only this machine can reach it.")
    ] = "127.0.0.1",
) -> None:
    """Show the figures in a browser; the page follows each new published file."""
    from pipelines.show.serving import serve  # noqa: PLC0415 - see demo

    settings = load_settings()
    shown, demo_file = file or settings.analytics_path, settings.data_dir / "demo" / settings.analytics_path.name
    if file is None and not shown.exists() and demo_file.exists():
        say(f"There is no {shown} yet, so this is the demo; `{program()} sync` reads your own account.")
        shown = demo_file

    def say_where() -> None:
        say(f"The dashboard is on http://{address}:{port}; stop it with Ctrl-C.")

    serve(shown, port, address, settings=settings, on_ready=say_where)


@app.command()
def report(
    period: Annotated[str | None, typer.Option(help="2026-10, 2026-Q4, 2026 or last-28-days.")] = None,
    business: Annotated[str | None, typer.Option(help="Only this one: its name or part of it, or its id.")] = None,
    to: Annotated[Path | None, typer.Option(help="File to write, .html or .pdf.")] = None,
    *,
    send: Annotated[bool, typer.Option("--send", help="Mail it to NEXUDUS_MAIL_TO, as PDF and HTML.")] = False,
) -> None:
    """Write the report of a period, the newest whole month by default: HTML that opens offline, or PDF."""
    from pipelines.model.explain import find_business  # noqa: PLC0415 - see demo
    from pipelines.orchestrate.reporting import mail_report  # noqa: PLC0415 - see demo
    from pipelines.publish.releases import report_path  # noqa: PLC0415 - see demo
    from pipelines.publish.snapshot import open_published, open_snapshot  # noqa: PLC0415 - see demo
    from pipelines.settings import utc_now  # noqa: PLC0415 - see demo
    from pipelines.show.report import write_report  # noqa: PLC0415 - see demo

    settings = load_settings()
    analytics, business_id = settings.analytics_path, None
    if business is not None:
        with open_published(analytics) as connection:
            business_id = find_business(connection, business)
    with open_snapshot(analytics) as snapshot:
        if send:
            if trouble := mail_report(settings, snapshot, utc_now(), period, business_id):
                warn(trouble)
            say(f"Mailed to {settings.mail_to}.")
        if to or not send:
            said = report_path(analytics) if business_id is None else settings.data_dir / f"report-{business_id}.html"
            say(f"Report: {write_report(snapshot, to or said, utc_now(), period, business_id)}")


@app.command()
def export(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Published tables; without any, a workbook for finance, or every table as CSV."),
    ] = None,
    kind: Annotated[
        Literal["xlsx", "csv"], typer.Option("--format", help="xlsx: one workbook; csv: one file per table.")
    ] = "xlsx",
    to: Annotated[Path | None, typer.Option(help="Folder to write to.")] = None,
) -> None:
    """Export a workbook for finance, or published tables; no cell is a formula."""
    from pipelines.publish.snapshot import open_snapshot  # noqa: PLC0415 - see demo
    from pipelines.publish.spreadsheets import export as write  # noqa: PLC0415 - see demo
    from pipelines.publish.spreadsheets import export_folder  # noqa: PLC0415 - see demo

    settings = load_settings()
    folder = to or export_folder(settings)
    with open_snapshot(settings.analytics_path, writes_to=folder) as snapshot:
        done = write(snapshot, folder, kind, tables or [])
    for made in done.files:
        say(f"Exported {made}")
    for sentence in done.left_out:
        warn(sentence)


rules_app = typer.Typer(help="Check, explain and try the rules that say what an entry means.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")


@rules_app.command("check")
def rules_check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of changed files; without it, the rules in use alone.")
    ] = None,
) -> None:
    """Read every file of rules, and judge the example that stands beside each rule and phrase."""
    from pipelines.command import rules_verbs  # noqa: PLC0415 - see demo

    rules_verbs.check_rules(folder)


@rules_app.command("explain")
def rules_explain(
    text: Annotated[str, typer.Argument(help="Text of the entry.")],
    name: Annotated[str, typer.Option(help="Title of the entry.")] = "Payment Result",
    *,
    problem: Annotated[bool, typer.Option("--problem", help="The entry is flagged as a problem.")] = False,
) -> None:
    """Show what a text means, which rule decides that, and which were passed over."""
    from pipelines.command import rules_verbs  # noqa: PLC0415 - see demo

    rules_verbs.explain_text(text, name, is_problem=problem)


@rules_app.command("try")
def rules_try(
    folder: Annotated[Path, typer.Argument(help="Folder of changed files, laid out as sql/rules.")],
) -> None:
    """Show what other rules would change in the synced data: entries, rates, what stays unknown. Changes nothing."""
    from pipelines.command import rules_verbs  # noqa: PLC0415 - see demo

    rules_verbs.try_folder(load_settings(), folder)


person_app = typer.Typer(help="Show or erase what is held about a customer.", no_args_is_help=True)
app.add_typer(person_app, name="person")
_PersonId = Annotated[int, typer.Argument(metavar="ID", help="The customer's coworker Id, as `invoices` has it.")]


@person_app.command("show")
def person_show(
    customer_id: _PersonId, *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show what is held about a customer: rows, raw versions, rejected records, files. Changes nothing."""
    import msgspec  # noqa: PLC0415 - see demo

    from pipelines.command.person_verbs import show_person  # noqa: PLC0415 - see demo

    found = show_person(load_settings(), customer_id)
    if as_json:
        say_json(found)
        return
    for name, value in (msgspec.structs.asdict(found.warehouse) | msgspec.structs.asdict(found)).items():
        if name != "warehouse":
            lines = value if isinstance(value, list) else [value]
            say(f"{name.replace('_', ' '):<30} {', '.join(map(str, lines)) or 'none'}")


@person_app.command("erase")
def person_erase(
    customer_id: _PersonId, *, yes: Annotated[bool, typer.Option("--yes", help="Erase without being asked.")] = False
) -> None:
    """Erase a customer's names and texts everywhere, for good; figures stay as they are."""
    from pipelines.command.person_verbs import erase  # noqa: PLC0415 - see demo

    settings = load_settings()
    if not yes:
        typer.confirm(f"Erase what names customer {customer_id}? This cannot be undone.", abort=True)
    with progress("Erasing"):
        held, left = erase(settings, customer_id)
    say(
        f"Erased customer {customer_id}: {held.entry_count} entries, {held.version_count} raw versions, "
        f"{held.rejected_count} rejected records, {held.outbox_count} of this program's own entries; published anew."
    )
    for file in left:
        warn(f"A name of theirs is still in {file}: somebody else may have it too.")


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def sandbox(context: typer.Context) -> None:
    """Start an emulator of the Nexudus API until interrupted."""
    from pipelines.sandbox.command import sandbox_command  # noqa: PLC0415 - its 60 options come from the emulator

    own = typer.Typer(add_completion=False)
    own.command()(
        sandbox_command(typer.Option, lambda it: say(f"The sandbox is on {it.base_url}; stop it with Ctrl-C."))
    )
    try:
        code = typer.main.get_command(own).main(context.args, context.command_path, standalone_mode=False)
    except (ValueError, OSError) as error:
        raise WrongUseError(f"The sandbox cannot start: {error}.") from None
    raise typer.Exit(code or 0)


def main() -> None:
    """Entry point of the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that lacks a character is no reason to end
            stream.reconfigure(errors="replace")
    os.umask(0o077)  # whatever is written, Dagster's files too, is for its owner only
    if "dashboard" not in sys.argv[1:]:
        # DuckDB would import pandas, where it is, at the first parameter of a query to see whether that is one of its
        # values: 80 MiB and a third of a second for nothing. Only the dashboard's Streamlit uses it.
        sys.modules["pandas"] = None  # type: ignore[assignment]
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command with these arguments; its exit code."""
    command = typer.main.get_command(app)
    return run_verb(lambda: command.main(arguments, "nexudus-billing", standalone_mode=False))


def _day(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).isoformat()
    except ValueError:
        raise WrongUseError(f"{text!r} is not a date: write it as YYYY-MM-DD, for instance 2026-01-31.") from None
