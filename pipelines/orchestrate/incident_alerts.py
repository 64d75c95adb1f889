"""What wakes finance: an incident that opens or is over, told once to the webhook and once by mail.

What a channel was told is kept beside the warehouse. It is written before the sending and taken back where the text
certainly did not arrive, so that an alert is late rather than sent twice, whatever is killed when.
"""

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from filelock import FileLock

from pipelines.errors import PipelineError
from pipelines.foundation.private_files import PRIVATE, replace_file
from pipelines.orchestrate.channels import NotDeliveredError, post_text, send_mail
from pipelines.publish.snapshot import Snapshot, open_snapshot
from pipelines.settings import Settings

_MOST_LINES = 10
_SENTENCE = {True: "New", False: "Over"}
_FINDINGS = """
    select
        findings.business_id,
        findings.currency_code,
        findings.incident_kind,
        findings.started_on_date,
        findings.finding,
        incidents.is_open,
        incidents.observed_count,
    from findings
    inner join incidents
        on
            findings.business_id is not distinct from incidents.business_id
            and findings.currency_code is not distinct from incidents.currency_code
            and findings.incident_kind = incidents.incident_kind
            and findings.started_on_date = incidents.started_on_date
    order by findings.finding_number
"""


class Incident(msgspec.Struct, frozen=True):
    """An incident as a channel was told of it. `observed_count` are its failures."""

    business_id: int | None
    currency_code: str | None
    incident_kind: str
    started_on_date: date
    finding: str
    is_open: bool
    observed_count: int = 0

    @property
    def scope(self) -> tuple[int | None, str | None, str]:
        """Of these at most one is open at a time."""
        return self.business_id, self.currency_code, self.incident_kind

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it apart from every other."""
        return *self.scope, self.started_on_date

    def is_worth(self, floor: int) -> bool:
        """Whether enough failed; a silence has no failures to count."""
        return self.incident_kind == "silence" or self.observed_count >= floor


class News(msgspec.Struct, frozen=True):
    """What a channel is to be told, and what it knows after that."""

    opened: list[Incident]
    over: list[Incident]
    known: list[Incident]


def news(known: list[Incident] | None, now: list[Incident], floor: int) -> News:
    """What changed since a channel was told of `known`; None where it never was, and hears only of what lasts.

    A start that later entries move by some days makes no second incident of one that lasts.
    """
    before = {one.key: one for one in known or ()}
    here = {one.key for one in now}
    moved = {one.scope: one.key for one in known or () if one.is_open and one.key not in here}
    opened, over, kept = [], [], []
    for one in now:
        told = before.pop(one.key, None) or before.pop(moved.get(one.scope, one.key), None)
        if told is None and known is None and not one.is_open:
            kept.append(one)
        elif told is not None:
            kept.append(one)
            if told.is_open and not one.is_open:
                over.append(one)
        elif one.is_worth(floor):
            kept.append(one)
            opened.append(one)
    # What was told and is no finding any more: its end is long ago, or later entries have explained it.
    over += [told for told in before.values() if told.is_open]
    return News(opened, over, kept)


def current(snapshot: Snapshot) -> list[Incident]:
    """The incidents that last or ended of late, the most important first."""
    return [Incident(**row) for row in snapshot.rows(_FINDINGS)]


def tell_incidents(settings: Settings) -> list[str]:
    """Tell each channel that is set what is new to it; a sentence for each that could not be told. Raises nothing."""
    channels: dict[str, Callable[[Settings, str, str], object]] = {}
    if settings.alert_webhook_url:
        channels["webhook"] = lambda settings, subject, text: post_text(settings, f"{subject}\n{text}")
    if settings.smtp_host and settings.mail_to:
        channels["mail"] = send_mail
    if not channels:
        return []
    troubles: list[str] = []
    try:
        with (
            FileLock(settings.data_dir / ".told_incidents.lock", mode=PRIVATE),
            open_snapshot(settings.analytics_path) as snapshot,
        ):
            now = current(snapshot)
            for name, send in channels.items():
                found = news(_told(settings).get(name), now, settings.alert_floor)
                troubles += _tell(settings, snapshot, name, send, found)
    except (PipelineError, OSError) as error:
        troubles.append(f"Incidents could not be told: {error}")
    return troubles


def _tell(
    settings: Settings,
    snapshot: Snapshot,
    name: str,
    send: Callable[[Settings, str, str], object],
    found: News,
) -> Iterable[str]:
    before = _told(settings)
    _keep(settings, before | {name: found.known})
    if not (found.opened or found.over):
        return
    try:
        said = send(settings, subject(found), text(settings, snapshot, found))
    except PipelineError as error:
        if not (isinstance(error, NotDeliveredError) and error.may_have_arrived):
            _keep(settings, before)
            yield f"Incidents were not told, and are tried again at the next sync. {error}"
        else:
            yield f"Incidents are not told again. {error}"
    else:
        if isinstance(said, str):
            yield said


def subject(found: News) -> str:
    """How many incidents are new and over, as a headline."""
    counts = [f"{len(ones)} {word}" for ones, word in ((found.opened, "new"), (found.over, "over")) if ones]
    one = len(found.opened) + len(found.over) == 1
    return f"Payment failures: {', '.join(counts)} incident{'' if one else 's'}"


def text(settings: Settings, snapshot: Snapshot, found: News) -> str:
    """The message: a sentence for each incident, the most important first, and where to look."""
    lines = [
        f"{_SENTENCE[is_new]}: {one.finding}"
        for is_new, ones in ((True, found.opened), (False, found.over))
        for one in ones
    ]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"And {len(lines) - _MOST_LINES} more."]
    businesses = sorted({one.business_id for one in (*found.opened, *found.over) if one.business_id is not None})
    if settings.dashboard_url:
        query = urlencode({"view": "trends", "business": businesses}, doseq=True)
        lines.append(f"{settings.dashboard_url.rstrip('/')}/?{query}")
    until = snapshot.about.data_as_of_at
    return "\n".join([*lines, f"Data up to {until:%Y-%m-%d %H:%M} UTC." if until else ""])


def _path(settings: Settings) -> Path:
    return settings.data_dir / "told_incidents.json"


def _told(settings: Settings) -> dict[str, list[Incident]]:
    """What each channel was told; nothing where that is lost, so that what lasts is told once more."""
    try:
        return msgspec.json.decode(_path(settings).read_bytes(), type=dict[str, list[Incident]])
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}


def _keep(settings: Settings, told: dict[str, list[Incident]]) -> None:
    replace_file(_path(settings), msgspec.json.format(msgspec.json.encode(told)))
