"""Checks whether the API has an entry already, by its invoice and reference. An unclear answer counts as none.

The reference alone identifies the entry. The search does not filter by name, because a server that trims or rewrites
names would then seem to have nothing, and the entry would be sent twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import cast

from pipelines.errors import BrokenPromiseError, TryAgainLaterError
from pipelines.extract.axes import Filters
from pipelines.extract.entity import Source
from pipelines.extract.histories import HistoryRecord
from pipelines.extract.records import SearchAnswer
from pipelines.record.entries import bracketed
from pipelines.record.states import OutboxEntry

_PASSES = 3


@dataclass(frozen=True)
class Sight:
    """What was found: the Id of the entry, or None, and whether the invoice is paid by now."""

    entry_id: int | None
    is_paid: bool = False


def look(source: Source, entry: OutboxEntry) -> Sight:
    """Read all entries of the invoice and find the reference among them.

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
            return Sight(None, any(record.coworker_invoice_paid for record in records.values()))
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
