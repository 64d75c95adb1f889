"""What the answers that `doctor` got say about a tenant: pure readings, each a finding."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from pipelines.extract.histories import HISTORIES
from pipelines.extract.records import Record, SearchAnswer

Verdict = Literal["ok", "warn", "fail", "unknown"]

_FAMILIAR_ZONES = (
    "UTC", "Europe/London", "Europe/Madrid", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Sao_Paulo", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo",
    "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip
_GREATEST_SKEW_SECONDS = 30  # a one-time code lives as long
_AMOUNT = "CoworkerInvoiceTotalAmount"
_FLAGS = ("CoworkerInvoicePaid", "CoworkerInvoiceDraft")
_TIMES = ("UpdatedOn", "CreatedOn", "CoworkerInvoicePaidOn", "CoworkerInvoiceDueDate")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's report. `setting_to_change` is None where nothing is to be changed."""

    name: str
    verdict: Verdict
    value: str
    setting_to_change: str | None = None
    explanation: str = ""


def clock_finding(answered_at: datetime, ours: datetime, *, has_date: bool) -> Finding:
    """How far the server's clock is from this machine's, in whole seconds."""
    if not has_date:
        return Finding(
            name="clock",
            verdict="warn",
            value="no Date header",
            setting_to_change="NEXUDUS_SETTLE_MINUTES",
            explanation="The server does not tell its time, so this machine's clock counts: keep it exact.",
        )
    # The header has whole seconds, cut: half a second more is the likeliest moment.
    skew = round((answered_at - ours).total_seconds() + 0.5)
    if abs(skew) <= _GREATEST_SKEW_SECONDS:
        return Finding(name="clock", verdict="ok", value=f"{skew:+} s", explanation="Server's clock less ours.")
    return Finding(
        name="clock",
        verdict="warn",
        value=f"{skew:+} s",
        explanation="Server's clock minus ours. A sync uses the server's; one-time codes need ours to be right.",
    )


def stamps_finding(answer: SearchAnswer) -> Finding:
    """Whether the newest rows are stamped by the clock that the Date header shows."""
    ahead = max((record.touched_at for record in answer.records), default=None)
    if ahead is None:
        return unknown("row stamps", "there are no rows")
    lead = (ahead - answer.answered_at).total_seconds()
    if lead <= 1:
        return Finding(name="row stamps", verdict="ok", value="none in the future")
    return Finding(
        name="row stamps",
        verdict="warn",
        value=f"up to {lead:.0f} s after the Date header",
        setting_to_change="NEXUDUS_SETTLE_MINUTES",
        explanation="Rows are stamped by another clock than the answers are dated by: settle longer than this.",
    )


def size_finding(asked: int, answer: SearchAnswer, *, configured: int) -> Finding:
    """How many records one answer holds at most, as far as `asked` shows it."""
    came = answer.record_count
    honoured = came if came < min(asked, answer.total_items) else answer.page_size
    if honoured < 1:
        return unknown("page size", "the answer holds no entry")
    if came > asked:
        return Finding(
            name="page size",
            verdict="fail",
            value=f"{came} records for size={asked}",
            explanation="The size is ignored: a sync takes nothing of such an answer. Ask Nexudus support.",
        )
    if honoured < asked:
        return Finding(
            name="page size",
            verdict="warn" if honoured < configured else "ok",
            value=str(honoured),
            setting_to_change=f"NEXUDUS_PAGE_SIZE={honoured}" if honoured != configured else None,
            explanation=f"The largest honoured size; {asked} was asked for. A sync adapts to it by itself.",
        )
    if came < asked:
        return Finding(
            name="page size",
            verdict="ok",
            value=f"{asked}, by its own word",
            explanation=f"There are {came} entries in all, too few to prove it.",
        )
    return Finding(
        name="page size",
        verdict="ok",
        value=f"{asked} or more",
        explanation="NEXUDUS_PAGE_SIZE may be raised to this: fewer requests.",
    )


def field_findings(answers: Iterable[SearchAnswer]) -> list[Finding]:
    """How the doubtful fields are written, and what of the records nobody documented."""
    answers = list(answers)
    raws = [msgspec.json.decode(one.raw) for answer in answers for one in answer.records]
    raws += [msgspec.json.decode(one.raw) for answer in answers for one in answer.rejected]
    rejected = [one for answer in answers for one in answer.rejected]
    if not raws:
        return [unknown(name, "there are no rows") for name in FIELD_FINDINGS]
    records = [raw for raw in raws if isinstance(raw, dict)]
    names = Counter(name for record in records for name in record)
    strange = sorted(set(names) - set(HISTORIES.contract.columns.values()))
    missing = sorted(name for name in HISTORIES.contract.columns.values() if names[name] < len(records))
    null_count = sum(record.get("UpdatedOn") is None for record in records)
    return [
        _kinds_finding("amount", {_kind(record.get(_AMOUNT)) for record in records}),
        _kinds_finding("flags", {_kind(record.get(name)) for record in records for name in _FLAGS}),
        _kinds_finding("times", {_time_form(record.get(name)) for record in records for name in _TIMES}),
        _listed("UpdatedOn", [f"null in {null_count} of {len(records)}"] if null_count else [], "CreatedOn stands in."),
        _listed("undocumented fields", strange, "They are kept in `extra`."),
        _listed("missing fields", missing, "They are null in the warehouse."),
        _listed(
            "broken records",
            [f"{len(rejected)} of {len(raws)}: {rejected[0].reason}"] if rejected else [],
            "A sync sets them aside in land.rejected_records; tell Nexudus support.",
        ),
    ]


FIELD_FINDINGS = (
    "amount", "flags", "times", "UpdatedOn", "undocumented fields", "missing fields", "broken records",
)  # fmt: skip


def _kinds_finding(name: str, kinds: set[str]) -> Finding:
    return Finding(
        name=name,
        verdict="ok",
        value=" and ".join(sorted(kinds - {"null"})) or "always null",
        explanation="Each form is read.",
    )


def _listed(name: str, what: list[str], explanation: str) -> Finding:
    if not what:
        return Finding(name=name, verdict="ok", value="none" if name != "UpdatedOn" else "always set")
    return Finding(name=name, verdict="warn", value=", ".join(what), explanation=explanation)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return "boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"


def _time_form(value: object) -> str:
    if not isinstance(value, str):
        return "null" if value is None else "number"
    zone = "Z" if value.endswith("Z") else "offset" if "+" in value else "no zone"
    return f"{'fraction, ' if '.' in value else ''}{zone}"


def order_of(answer: SearchAnswer) -> str:
    """'ascending', 'descending' or 'none' by UpdatedOn, as the rows show it; 'unproved' where they are all equal."""
    # To the second: fractions were seen that the server itself did not sort by.
    return _order([record.touched_at.replace(microsecond=0) for record in answer.records])


def id_order_of(answer: SearchAnswer) -> str:
    """The same by Id."""
    return _order([record.id for record in answer.records])


def _order(keys: list[datetime] | list[int]) -> str:
    up = any(a < b for a, b in pairwise(keys))  # type: ignore[operator]  # one type a list
    down = any(a > b for a, b in pairwise(keys))  # type: ignore[operator]
    if up and down:
        return "none"
    return "ascending" if up else "descending" if down else "unproved"


def ties_finding(first: SearchAnswer, second: SearchAnswer) -> Finding:
    """Whether rows of one instant come in the same order each time; asked twice by the same question."""
    before, after = ([(record.touched_at, record.id) for record in one.records] for one in (first, second))
    before = before[: len(after)]
    moved = sum(a != b for a, b in zip(before, after, strict=False))
    instants = Counter(at for at, _ in before)
    if not any(count > 1 for count in instants.values()):
        return unknown("ties", "no two of the oldest rows have the same instant")
    if moved == 0:
        return Finding(name="ties", verdict="ok", value="same order each time")
    return Finding(
        name="ties", verdict="ok", value="another order each time", explanation="A sync does not depend on it."
    )


def mishap_findings(
    throttles: Mapping[str, int], mishaps: Mapping[str, int], *, slowest_seconds: float, timeout_seconds: float
) -> list[Finding]:
    """What went wrong on the way and was asked again, and how slow the slowest answer was."""
    told = [", ".join(f"{words} ({count})" for words, count in kind.items()) for kind in (throttles, mishaps)]
    is_slow = slowest_seconds > timeout_seconds / 3 or slowest_seconds > 2  # noqa: PLR2004 - seconds, by experience
    return [
        Finding(
            name="throttling",
            verdict="warn" if throttles else "ok",
            value=told[0] or "not met",
            setting_to_change="NEXUDUS_REQUESTS_PER_MINUTE" if throttles else None,
            explanation="Each form is obeyed; a lower pace avoids it." if throttles else "",
        ),
        Finding(
            name="broken answers",
            verdict="warn" if mishaps else "ok",
            value=told[1] or "none",
            explanation="They were asked for again; if they are many, a sync ends early and goes on next time."
            if mishaps
            else "",
        ),
        Finding(
            name="slowest answer",
            verdict="warn" if is_slow else "ok",
            value=f"{slowest_seconds:.2f} s",
            setting_to_change="NEXUDUS_TIMEOUT_SECONDS or a smaller NEXUDUS_PAGE_SIZE" if is_slow else None,
        ),
    ]


def ids_finding(listed: SearchAnswer, found: SearchAnswer) -> Finding:
    """How many of the records that were named by their Ids came in one answer."""
    name, asked, came = "invoices by id", {one.id for one in listed.records}, {one.id for one in found.records}
    if not asked:
        return unknown(name, "there are no invoices")
    if came - asked:
        setting, why = "NEXUDUS_INVOICES=off", "The filter by Id is ignored, so open invoices cannot be read again."
        return Finding(name=name, verdict="fail", value="ignored", setting_to_change=setting, explanation=why)
    return Finding(
        name=name,
        verdict="ok" if came == asked else "warn",
        value=f"{len(came)} of {len(asked)} came at once",
        explanation="" if came == asked else "A sync asks for open invoices in more requests.",
    )


def unknown(name: str, why: str) -> Finding:
    """A finding that could not be made."""
    return Finding(name=name, verdict="unknown", value="not found out", explanation=f"{why[:1].upper()}{why[1:]}.")


def pivots(records: Iterable[Record]) -> list[Record]:
    """One row of the northern winter and one of its summer, where there are such: zones differ in one of the two."""
    seasons: dict[bool, Record] = {}
    for record in records:
        month = record.touched_at.month
        if month in {5, 6, 7, 8, 9, 11, 12, 1, 2}:
            seasons.setdefault(month in {5, 6, 7, 8, 9}, record)
    return list(seasons.values())


@cache
def zones() -> tuple[ZoneInfo, ...]:
    """Every zone that the filter may be read in."""
    return tuple(
        ZoneInfo(name) for name in sorted(available_timezones()) if not name.startswith(("Etc/", "posix", "right"))
    )


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    """What a zone's clocks are ahead of UTC at an instant."""
    return at.astimezone(zone).utcoffset() or timedelta()


def best_name(candidates: Iterable[ZoneInfo]) -> str | None:
    """The most familiar of the zones, or None if there is none."""
    names = [zone.key for zone in candidates]
    return next((name for name in _FAMILIAR_ZONES if name in names), min(names, default=None))
