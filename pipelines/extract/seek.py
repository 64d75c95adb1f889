"""A range of a moving table, read exactly: each answer closes minutes for good, or says why it cannot.

Rows move (an update sets UpdatedOn to now) and vanish while one reads, so page numbers skip rows. Here every question
asks for page 1 of what is still open, in ascending order. One answer is one consistent instant: every minute before
that of its last row is complete. No answer depends on another, so nothing can fall between two.

Where the order is not proved by the rows received, the range is halved until an answer holds all of it; a single
minute fuller than a page is read by Id until one pass is consistent.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from pipelines.extract.axes import Axis
from pipelines.extract.checked_answers import ask, is_whole
from pipelines.extract.entity import Source
from pipelines.extract.failures import DeepPageError
from pipelines.extract.order import (
    DIRECTIONS,
    ENOUGH_ASCENTS,
    Dialect,
    ascents_in,
    bounded,
    complete_until,
    instants_of,
    is_sorted_by,
    known_instants,
    rule_out,
)
from pipelines.extract.records import SearchAnswer
from pipelines.extract.seam import KnownRow, check_seam, seam_at
from pipelines.extract.windows import MINUTE, Window, floor_minute, split

_PASSES_OVER_A_MINUTE = 6


class Step(NamedTuple):
    """An answer to land, and the window that is complete with it (None: nothing closed yet)."""

    answer: SearchAnswer
    closed: Window | None


def seek(
    source: Source, axis: Axis, window: Window, dialect: Dialect, seam: tuple[KnownRow, ...] = ()
) -> Iterator[Step]:
    """Read `window` exactly; yields each answer as it comes with the minutes it closes.

    `seam` names rows known to lie in the window's first minutes. A minute that stays inconsistent is left open and
    listed in `dialect.open_minutes`. Raises OutsideRangeError, NotEchoedError, NothingThereError, EnvelopeError:
    whatever was yielded before stays true. After ShiftedFilterError it does not.
    """
    todo = [window]
    seams = {window.start: seam}
    misses = 0
    while todo:
        asked = todo.pop()
        if asked.is_empty:
            continue
        answer = ask(source, axis, asked, dialect)
        known = seams.pop(asked.start, ())
        if is_whole(answer):
            # Of a halved range the first part need not hold all that is known to lie in the whole.
            check_seam(source, axis, tuple(row for row in known if row.instant in asked), answer, dialect)
            seams.setdefault(asked.end, tuple(row for row in known if row.instant >= asked.end))
            yield Step(answer, asked)
            continue
        instants = known_instants(axis, answer)
        climbs, is_sorted = ascents_in(instants), is_sorted_by(axis, answer, instants)
        last = min(floor_minute(complete_until(answer, instants, dialect)), asked.end)
        if is_sorted:
            misses = 0
            dialect.ascents += climbs
        else:
            misses += 1
            dialect.try_another_direction()
        if is_sorted and climbs and dialect.ascents >= ENOUGH_ASCENTS and last > asked.start:
            check_seam(source, axis, tuple(row for row in known if row.instant < last), answer, dialect)
            yield Step(answer, Window(asked.start, last))
            todo.append(Window(last, asked.end))
            seams[last] = seam_at(source.entity, axis, answer, last)
            continue
        if asked.span == MINUTE:
            yield from _read_minute(source, axis, asked, dialect)
            continue
        seams[asked.start] = known
        if 0 < misses <= len(DIRECTIONS):
            todo.append(asked)
            continue
        yield Step(answer, None)
        todo += reversed(_cut(asked, last) if is_sorted and (not climbs or last == asked.start) else split(asked, 2))


def first_instant(source: Source, axis: Axis, window: Window, dialect: Dialect) -> tuple[SearchAnswer, datetime | None]:
    """Before which instant a window holds no row, by one question a direction; None where no answer proves it."""
    for _ in DIRECTIONS:
        answer = ask(source, axis, window, dialect)
        if answer.rejected or not all(record.has_updated_on for record in answer.records):
            return answer, None  # nobody knows where these lie
        if is_whole(answer):
            return answer, min((at for at in instants_of(axis, answer) if at), default=window.end)
        instants = known_instants(axis, answer)
        if is_sorted_by(axis, answer, instants):
            rule_out(answer, instants, dialect)
            is_proved = ascents_in(instants) >= ENOUGH_ASCENTS
            return answer, bounded(instants[0], answer.records[0], dialect) if is_proved else None
        dialect.try_another_direction()
    return answer, None


def _cut(window: Window, minute: datetime) -> list[Window]:
    """Around a minute that fills a page alone: what lies before it (mostly nothing), and the rest from just before."""
    edge = min(max(minute - MINUTE, window.start + MINUTE), window.end - MINUTE)
    return [Window(window.start, edge), Window(edge, window.end)]


def _read_minute(source: Source, axis: Axis, minute: Window, dialect: Dialect) -> Iterator[Step]:
    """A minute fuller than a page, by Id, last page first: what vanishes meanwhile is seen twice rather than missed."""
    try:
        answer = ask(source, axis, minute, dialect, order_by="Id")
        for _ in range(_PASSES_OVER_A_MINUTE):
            total, size, ids = answer.total_items, min(dialect.page_size, max(1, answer.page_size)), set[int | None]()
            for page in range(max(1, -(-total // size)), 0, -1):
                answer = ask(source, axis, minute, dialect, page=page, size=size, order_by="Id")
                ids |= answer.ids
                if answer.total_items != total or answer.record_count != min(total - (page - 1) * size, size):
                    break
                is_consistent = page == 1 and len(ids) == total
                yield Step(answer, minute if is_consistent else None)
                if is_consistent:
                    return
    except DeepPageError:
        pass  # this server refuses so deep a page: the minute stays open, and the ledger says so
    dialect.open_minutes.append(minute.start)
