"""Checks whether the API has an entry already, by its invoice and reference. An unclear answer counts as none.

The search does not filter by name, because a server that trims or rewrites names would then seem to have nothing, and
the entry would be sent twice. For an entry whose sending was in doubt the reference may be elsewhere, on an invoice
that it was moved to, or gone, where the server cuts or rewrites texts: see `_elsewhere` and `_is_alike`.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from itertools import count
from typing import cast

from pipelines.errors import BrokenPromiseError, TryAgainLaterError
from pipelines.extract.axes import UPDATED_ON, Filters
from pipelines.extract.entity import Source
from pipelines.extract.histories import HistoryRecord
from pipelines.extract.records import SearchAnswer
from pipelines.record.entries import bracketed
from pipelines.record.states import OutboxEntry, State

_PASSES = 3
_CLOCKS_DIFFER_BY = timedelta(minutes=30)  # what is left of it once ours was compared with the server's
_ALIKE_RATIO = 0.8
_MOST_PAGES_ELSEWHERE = 20


@dataclass(frozen=True)
class Sight:
    """What was found: the Id of the entry, or None, and whether the invoice is paid by now.

    `alike_id` is of an entry that may be it: made since it was sent, with its title or text, without the reference.
    """

    entry_id: int | None
    is_paid: bool = False
    alike_id: int | None = None


def look(source: Source, entry: OutboxEntry, sent_at: datetime | None = None) -> Sight:
    """Read all entries of the invoice and find the reference among them. `sent_at` is by the server's clock.

    Raises BrokenPromiseError when the answer does not fit the request, TryAgainLaterError when the list keeps
    changing: only a complete list shows that an entry is absent.
    """
    for _ in range(_PASSES):
        answers = list(_pages(source, entry.invoice_id))
        found = [entry_id for answer in answers for entry_id in _ids_with(bracketed(entry.reference), answer)]
        if found:
            return Sight(min(found))
        records = {record.id: record for answer in answers for record in _entries(answer)}
        rejected = {record.raw for answer in answers for record in answer.rejected}
        if {answer.total_items for answer in answers} == {len(records) + len(rejected)}:
            is_paid = any(record.coworker_invoice_paid for record in records.values())
            if entry.state is not State.UNSURE or sent_at is None:
                return Sight(None, is_paid)
            since = sent_at - _CLOCKS_DIFFER_BY
            alike = [record.id for record in records.values() if _is_alike(entry, record, since)]
            return Sight(_elsewhere(source, entry, since), is_paid, min(alike, default=None))
    raise TryAgainLaterError(
        f"The entries of invoice {entry.invoice_id} change while they are read, so nothing was sent: try again later."
    )


def _pages(source: Source, invoice_id: int) -> Iterator[SearchAnswer]:
    seen = 0
    for page in count(1):
        answer = source.search(Filters(keys=(invoice_id,)), page=page, order_by="Id")
        if answer.page != page or any(source.entity.key(record) != invoice_id for record in answer.records):
            raise BrokenPromiseError(
                f"The API was asked for page {page} of the entries of invoice {invoice_id} and answered something "
                "else, so nothing was sent: run `nexudus-billing doctor`."
            )
        yield answer
        seen += answer.record_count
        if seen >= answer.total_items or answer.record_count == 0:
            return


def _elsewhere(source: Source, entry: OutboxEntry, since: datetime) -> int | None:
    """The entry on another invoice, by its reference among all that changed since it was sent."""
    filters, seen = Filters(UPDATED_ON, since), 0
    for page in range(1, _MOST_PAGES_ELSEWHERE + 1):
        answer = source.search(filters, page=page, order_by="Id")
        found = list(_ids_with(bracketed(entry.reference), answer))
        seen += answer.record_count
        if found or answer.record_count == 0 or seen >= answer.total_items:
            return min(found, default=None)
    return None


def _is_alike(entry: OutboxEntry, record: HistoryRecord, since: datetime) -> bool:
    """Whether a record may be the entry with its text cut, escaped or changed by the server."""
    text = _plain(record.description)
    if record.created_on is not None and record.created_on < since:
        return False
    if entry.reference in text:
        return True
    if "ref " in text and re.search(r"ref [0-9a-f]{12}", text):
        return False  # another entry of ours
    sent = _plain(entry.description)
    return _plain(record.name) == _plain(entry.name) or (
        bool(text) and (sent.startswith(text) or SequenceMatcher(None, sent, text).ratio() >= _ALIKE_RATIO)
    )


def _plain(text: str | None) -> str:
    """Letters and digits of a text, without what servers do to it."""
    return " ".join(re.findall(r"\w+", re.sub("<[^>]*>", " ", html.unescape(html.unescape(text or ""))).casefold()))


def _entries(answer: SearchAnswer) -> list[HistoryRecord]:
    return cast("list[HistoryRecord]", answer.records)


def _ids_with(mark: str, answer: SearchAnswer) -> Iterator[int]:
    yield from (record.id for record in _entries(answer) if mark in (record.description or ""))
    for record in answer.rejected:
        if mark.encode() not in record.raw:
            continue
        if record.id is None:
            raise BrokenPromiseError(
                f"The entry with {mark} exists, but its Id cannot be read: look at the invoice in Nexudus."
            )
        yield record.id
