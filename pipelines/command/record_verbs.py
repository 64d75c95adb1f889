"""What `record` and `escalate` do on the terminal: check, send with a bar of progress, say what came of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipelines.command.terminal import err, say, warn
from pipelines.errors import WrongUseError
from pipelines.record.delivery import Delivery, OnEntry, record_entries
from pipelines.record.entries import Entry, bracketed, checked, tidied
from pipelines.record.entry_files import check_writable, read_entry_file, write_results
from pipelines.record.escalations import find_due, send_due
from pipelines.record.outbox import look_up, planned
from pipelines.record.states import State
from pipelines.settings import Settings, utc_now


def entry_of(
    invoice_id: int | None, name: str | None, description: str | None, *, is_problem: bool, notify: bool
) -> Entry:
    """The entry that these options describe. Raises WrongUseError that names what is missing or wrong."""
    if invoice_id is None or name is None or description is None:
        raise WrongUseError("An entry needs --invoice-id, --name and --description; many entries come --from a file.")
    return checked(
        Entry(
            invoice_id=invoice_id,
            name=tidied(name),
            description=tidied(description),
            is_problem=is_problem,
            notify=notify,
        )
    )


def record_one(settings: Settings, entry: Entry, *, dry_run: bool) -> None:
    """Create one entry and print its Id. Raises what there is to do where it is not confirmed."""
    if dry_run:
        preview(settings, [entry])
        return
    delivery = record_entries(settings, [entry])
    row = delivery.entries[0]
    if row.state is State.REFUSED:
        raise WrongUseError(str(row.detail))
    _raise(delivery)
    if delivery.known:
        say(
            f"Entry {row.entry_id} on invoice {row.invoice_id} was recorded before, on {row.changed_at:%Y-%m-%d} "
            f"{bracketed(row.reference)}; nothing was sent. A second one needs other words."
        )
    else:
        say(f"Created entry {row.entry_id} on invoice {row.invoice_id} {bracketed(row.reference)}.")


def record_file(settings: Settings, path: Path, result_path: Path | None, *, dry_run: bool) -> None:
    """Create the entries of a file, write how each fared to the result file. Raises what there is left to do."""
    file = read_entry_file(path)
    if dry_run:
        preview(settings, file.entries)
        return
    result_path = result_path or file.result_path
    check_writable(result_path)
    with _progress("Recording") as on_entry:
        delivery = record_entries(settings, file.entries, on_entry=on_entry)
    write_results(result_path, file, delivery.entries)
    say(f"{delivery.summary[:1].upper()}{delivery.summary[1:]}; see {result_path}.")
    _raise(delivery)


def preview(settings: Settings, entries: Sequence[Entry]) -> None:
    """Print what would be sent, one JSON body a line, and what the outbox knows of it already. Sends nothing."""
    known = look_up(settings, [entry.reference for entry in entries])
    for entry in entries:
        row = known.get(entry.reference)
        if row is not None and row.state is State.CONFIRMED:
            say(f"recorded before as entry {row.entry_id}: {bracketed(entry.reference)}")
        else:
            body = msgspec.json.encode((row or planned(entry, utc_now())).body).decode()
            say(f"{row.state if row else 'new'}: {body}")
    warn("Nothing was sent.")


def escalate(settings: Settings, limit: int, *, send: bool, notify: bool = False) -> None:
    """List the follow-ups that are due, or send them. Raises what there is left to do."""
    if send:
        with _progress("Escalating") as on_entry:
            delivery = send_due(settings, limit=limit, notify=notify, on_entry=on_entry)
        for row in delivery.entries:
            detail = f": {row.detail}" if row.detail else ""
            say(f"invoice {row.invoice_id}: {row.state}, entry {row.entry_id or '-'}{detail}")
        say(f"{delivery.summary[:1].upper()}{delivery.summary[1:]}.")
        _note(delivery.note)
        _raise(delivery)
        return
    due = find_due(settings)
    for one in due.escalations[:limit]:
        say(f"invoice {one.invoice_id} ({one.invoice_number or 'no number'}): {one.description}")
    shown = min(limit, len(due.escalations))
    as_of = f"{due.as_of_at:%Y-%m-%d %H:%M} UTC" if due.as_of_at else "no date"
    say(f"{len(due.escalations)} follow-ups are due, {shown} are shown, by figures of {as_of}; --send creates them.")
    _note(due.note)


def _note(text: str) -> None:
    if text:
        warn(text)


def _raise(delivery: Delivery) -> None:
    if delivery.problem is not None:
        raise delivery.problem


@contextmanager
def _progress(words: str) -> Iterator[OnEntry]:
    """A bar on stderr of the entries that have been dealt with; nothing where nobody looks."""
    if not err.is_terminal:
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
