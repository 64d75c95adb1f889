"""What `rules check`, `rules explain` and `rules try` do on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from pipelines.command.terminal import out, program, progress, say
from pipelines.errors import WrongUseError
from pipelines.foundation.sql_files import sql_folder
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.model.examples import wrong_examples
from pipelines.model.rule_files import refuse_strangers
from pipelines.model.rule_trial import MovedRate, try_rules
from pipelines.model.rules import EVIDENCE, Rule, RuleBook, load_rules
from pipelines.model.text_evidence import text_evidence
from pipelines.settings import Settings

_LINES_SHOWN = 30


def check_rules(folder: Path | None) -> RuleBook:
    """Read every file and judge every example; print how many there are. Raises WrongUseError for what is wrong."""
    if folder:
        refuse_strangers(folder)
    book = load_rules(folder)
    wrong = list(wrong_examples(book))
    if wrong:
        raise WrongUseError("\n".join(map(str, wrong)) + "\nThe last good figures stay as they are.")
    say(
        f"{len(book.rules)} rules and {len(book.words):,} phrases are read, and each decides its example "
        f"(version {book.version})."
    )
    return book


def explain_text(text: str, name: str, *, is_problem: bool) -> None:
    """Print what a text means, which rule says so, and which were passed over."""
    found = text_evidence(load_rules(), (name, text, is_problem))
    verdict = found.verdict
    say(f'"{name}: {text}", {"flagged" if is_problem else "not flagged"}')
    say(f"It is {verdict.kind}" + (f", reason {verdict.failure_reason}." if verdict.failure_reason else "."))
    if verdict.next_step and verdict.kind == "payment_failed":
        say(f"Next step: {verdict.next_step}")
    if found.decided_by.priority >= EVIDENCE:
        say(f"It states: prefix {verdict.prefix_says}, title {verdict.name_says}, text {verdict.text_says}.")
    say(f"Decided by {_rule(found.decided_by)}.")
    if found.reason_by:
        say(f"Reason by {_rule(found.reason_by)}.")
    _lines("Phrases found in it:", [f"{each.says}: {each.words} ({each.file_line})" for each in found.phrases])
    _lines("Passed over, for one condition is not met:", [f"{_rule(rule)}: {why}" for rule, why in found.passed_over])
    _lines("These fit too, but come later:", [_rule(rule) for rule in found.also_fit])
    if not verdict.is_understood:
        say(
            "No rule explains these words. Add the phrase to a copy of words/success.csv, failure.csv, pending.csv or "
            f"another list of {sql_folder('rules')} in a folder of yours, then run `{program()} rules try FOLDER`."
        )


def try_folder(settings: Settings, folder: Path) -> None:
    """Print what the rules of a folder would change in the landed data. Changes nothing."""
    other = check_rules(folder)
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        raise WrongUseError(f"There is no warehouse at {warehouse.name} yet: run `{program()} sync`.")
    with (
        progress("Judging the entries") as show,
        open_warehouse(settings, read_only=True, wait_seconds=5) as connection,
    ):
        trial = try_rules(connection, settings, (load_rules(), other), show)
    changed = sum(each.entry_count for each in trial.changes)
    say(f"{changed:,} of {trial.entry_count:,} entries would change.")
    rows = [
        (
            f"{each.entry_count:,}",
            _meaning(each.old_kind, each.old_reason, is_understood=each.was_understood),
            _meaning(each.new_kind, each.new_reason, is_understood=each.is_understood),
            f"{each.name}: {each.pattern}",
        )
        for each in trial.changes
    ]
    _table(("entries", "now", "with these rules", "text"), rows)
    say("First-attempt failure rate over all of the data:" if trial.rates else "No business's rates would change.")
    rates = [
        (
            f"{each.business_name}, {each.currency_code or 'no currency'}",
            _rate(each.old_ratio, each.old_no_rate_because),
            _rate(each.new_ratio, each.new_no_rate_because),
            _attempts(each),
        )
        for each in trial.rates
    ]
    _table(("business", "now", "with these rules", "failed of attempts"), rates)
    unknown = sum(each.entry_count for each in trial.unknown)
    say(f"Still not understood: {unknown:,} entries, {len(trial.unknown):,} wordings.")
    left = [
        (f"{each.entry_count:,}", "yes" if each.is_problem else "no", f"{each.name}: {each.pattern}")
        for each in trial.unknown
    ]
    _table(("entries", "flagged", "text"), left)
    say(f"Nothing was changed. To use these rules, copy the files into {sql_folder('rules')} and sync.")


def _rule(rule: Rule) -> str:
    file = "entry_rules.csv" if rule.priority < EVIDENCE else "evidence.csv"
    file = "reasons.csv" if rule.decline_type and rule.priority >= EVIDENCE else file
    return f"{rule.priority % EVIDENCE} {rule.rule_name} of {file} ({rule.failure_reason or rule.kind})"


def _meaning(kind: str, reason: str | None, *, is_understood: bool) -> str:
    return f"{kind}{f' ({reason})' if reason else ''}{'' if is_understood else ', not understood'}"


def _rate(ratio: float | None, no_rate_because: str | None) -> str:
    return no_rate_because or "none" if ratio is None else f"{ratio:.1%}"


def _attempts(rate: MovedRate) -> str:
    return (
        f"{rate.old_failed_count:,} of {rate.old_attempt_count:,} → "
        f"{rate.new_failed_count:,} of {rate.new_attempt_count:,}"
    )


def _lines(heading: str, found: Sequence[str]) -> None:
    if found:
        say("\n  ".join([heading, *found]))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows[:_LINES_SHOWN]:
        table.add_row(*map(escape, row))
    out.print(table)
    if len(rows) > _LINES_SHOWN:
        say(f"and {len(rows) - _LINES_SHOWN:,} more")
