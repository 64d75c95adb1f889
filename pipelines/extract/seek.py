"""A range of a moving table, read exactly: each answer closes minutes for good, or says why it cannot.

Rows move (an update sets UpdatedOn to now) and vanish while one reads, so page numbers skip rows. Here every question
asks for page 1 of what is still open, in ascending order. One answer is one consistent instant: every minute before
that of its last row is complete. No answer depends on another, so nothing can fall between two.

Where the order is not proved by the rows received, the range is halved until an answer holds all of it; a single
minute fuller than a page is read by Id until one pass is consistent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter, le, lt
from typing import Any, NamedTuple, Protocol

from pipelines.errors import BrokenPromiseError
from pipelines.extract.failures import DeepPageError
from pipelines.extract.histories import HistoryFilters
from pipelines.extract.records import EnvelopeError, HistoryRecord, SearchAnswer
from pipelines.extract.windows import MINUTE, Window, floor_minute, split

# Strict ascents that must have been seen, and not one descent, before a full page is taken for the beginning of its
# range: a server that ignores `orderBy` shows this many by chance once in 65,536 runs.
_ENOUGH_ASCENTS = 16
_DIRECTIONS = (0, 1, -1)  # documented as 0/1 and as 1/-1; the rows decide
_PASSES_OVER_A_MINUTE = 6
_SEAM_ROWS = 5
_WIDEST_ZONE_OFFSET = timedelta(hours=15)


class Source(Protocol):
    """Whatever answers a search as the API does."""

    def search(
        self,
        filters: HistoryFilters = ...,
        *,
        page: int = ...,
        size: int | None = ...,
        order_by: str | None = ...,
        direction: int | None = ...,
    ) -> SearchAnswer:
        """One answer of the search endpoint."""
        ...


@dataclass(frozen=True)
class Axis:
    """A time field of the record that the API can filter and sort by."""

    name: str
    column: str

    def instant(self, record: HistoryRecord) -> datetime | None:
        """Where a record lies on this axis."""
        instant: datetime | None = getattr(record, self.column)
        return instant

    def placed(self, records: Sequence[HistoryRecord]) -> Sequence[HistoryRecord]:
        """The records that say themselves where they lie: not those whose UpdatedOn is null, unless all of them are."""
        return (self.column == "updated_on" and [record for record in records if record.has_updated_on]) or records

    def filters(self, window: Window) -> HistoryFilters:
        """The range filters for a window; whether the server includes the end does not matter."""
        bounds: dict[str, Any] = {f"from_{self.column}": window.start, f"to_{self.column}": window.end}
        return HistoryFilters(**bounds)


UPDATED_ON = Axis("UpdatedOn", "updated_on")
CREATED_ON = Axis("CreatedOn", "created_on")
PAID_ON = Axis("CoworkerInvoicePaidOn", "coworker_invoice_paid_on")
REFUNDED_ON = Axis("CoworkerInvoiceRefundedOn", "coworker_invoice_refunded_on")


class KnownRow(NamedTuple):
    """A row known to lie at an instant: it must come back when its minute is asked for again."""

    id: int
    coworker_invoice_id: int
    instant: datetime


class Step(NamedTuple):
    """An answer to land, and the window that is complete with it (None: nothing closed yet)."""

    answer: SearchAnswer
    closed: Window | None


@dataclass
class Dialect:
    """What the answers have taught about the server: which `dir` ascends, and that it sorts by time and nothing else.

    `page_size` is asked for, `honoured_size` what the newest full page held. `rivals` are other orders that have looked
    the same so far. Readers side by side share one.
    """

    page_size: int
    honoured_size: int = 0
    directions: list[int] = field(default_factory=lambda: list(_DIRECTIONS))
    ascents: int = 0
    rivals: set[str] = field(default_factory=lambda: {"id", "created_on"})
    open_minutes: list[datetime] = field(default_factory=list)

    @property
    def direction(self) -> int:
        """The `dir` to ask with."""
        return self.directions[0]

    def try_another_direction(self) -> None:
        """Take the next `dir`; what was proved of the last one says nothing about it."""
        self.directions.append(self.directions.pop(0))
        self.ascents = 0


class OutsideRangeError(BrokenPromiseError):
    """An answer holds rows that the filter should have left out."""


class ShiftedFilterError(BrokenPromiseError):
    """The filter's values are read in another time zone: whatever was closed on its word may lack rows."""


class ShiftedRangeError(OutsideRangeError, ShiftedFilterError):
    """An answer holds rows of some hours before or after its range, and none from farther away."""


class SeamError(ShiftedFilterError):
    """Rows known to lie in a range, and still there, did not come back: the filter leaves rows out."""


class NothingThereError(BrokenPromiseError):
    """Entries are known, and the API shows none at all: a role or the account was lost rather than every entry."""


class NotEchoedError(BrokenPromiseError):
    """The answer is not to the question asked: another page, or a larger one."""


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
        answer = _ask(source, axis, asked, dialect)
        known = seams.pop(asked.start, ())
        if _is_whole(answer):
            # Of a halved range the first part need not hold all that is known to lie in the whole.
            _check_seam(source, axis, tuple(row for row in known if row.instant in asked), answer, dialect)
            seams.setdefault(asked.end, tuple(row for row in known if row.instant >= asked.end))
            yield Step(answer, asked)
            continue
        instants = _known_instants(axis, answer)
        climbs, is_sorted = _ascents(instants), _is_sorted(axis, answer, instants)
        last = min(floor_minute(_complete_until(answer, instants, dialect)), asked.end)
        if is_sorted:
            misses = 0
            dialect.ascents += climbs
        else:
            misses += 1
            dialect.try_another_direction()
        if is_sorted and climbs and dialect.ascents >= _ENOUGH_ASCENTS and last > asked.start:
            _check_seam(source, axis, tuple(row for row in known if row.instant < last), answer, dialect)
            yield Step(answer, Window(asked.start, last))
            todo.append(Window(last, asked.end))
            seams[last] = _seam_at(axis, answer, last)
            continue
        if asked.span == MINUTE:
            yield from _read_minute(source, axis, asked, dialect)
            continue
        seams[asked.start] = known
        if 0 < misses <= len(_DIRECTIONS):
            todo.append(asked)
            continue
        yield Step(answer, None)
        todo += reversed(_cut(asked, last) if is_sorted and (not climbs or last == asked.start) else split(asked, 2))


def first_instant(source: Source, axis: Axis, window: Window, dialect: Dialect) -> tuple[SearchAnswer, datetime | None]:
    """Before which instant a window holds no row, by one question a direction; None where no answer proves it."""
    for _ in _DIRECTIONS:
        answer = _ask(source, axis, window, dialect)
        if answer.rejected or not all(record.has_updated_on for record in answer.records):
            return answer, None  # nobody knows where these lie
        if _is_whole(answer):
            return answer, min((at for at in _instants(axis, answer) if at), default=window.end)
        instants = _known_instants(axis, answer)
        if _is_sorted(axis, answer, instants):
            _rule_out(answer, instants, dialect)
            is_proved = _ascents(instants) >= _ENOUGH_ASCENTS
            return answer, _bounded(instants[0], answer.records[0], dialect) if is_proved else None
        dialect.try_another_direction()
    return answer, None


def _cut(window: Window, minute: datetime) -> list[Window]:
    """Around a minute that fills a page alone: what lies before it (mostly nothing), and the rest from just before."""
    edge = min(max(minute - MINUTE, window.start + MINUTE), window.end - MINUTE)
    return [Window(window.start, edge), Window(edge, window.end)]


def _ask(
    source: Source,
    axis: Axis,
    window: Window,
    dialect: Dialect,
    *,
    page: int = 1,
    size: int | None = None,
    order_by: str | None = None,
) -> SearchAnswer:
    """One question and the checks that any answer to it must pass.

    A smaller page than asked for is as good: the next question starts where its rows end. So the size asked for stays,
    and one odd answer does not make all later ones small.
    """
    size = size or dialect.page_size
    answer = source.search(
        axis.filters(window), page=page, size=size, order_by=order_by or axis.name,
        direction=0 if order_by else dialect.direction,
    )  # fmt: skip
    if answer.page != page:
        raise NotEchoedError(f"Page {page} was asked for and page {answer.page} came; nothing of it was used.")
    if answer.record_count > size:
        raise NotEchoedError(f"{size} records were asked for and {answer.record_count} came; the size is ignored.")
    expected = min(answer.total_items - (page - 1) * size, size)
    is_smaller_page = answer.page_size < size and answer.record_count > 0
    is_promised = page == 1 and answer.has_next_page and answer.record_count > 0
    lacks_rows = answer.record_count < expected or (answer.has_next_page and answer.record_count == 0)
    if lacks_rows and not is_smaller_page and not is_promised:
        raise EnvelopeError(
            f"The answer counts {answer.total_items} records and holds {answer.record_count} on page {page}; "
            "try again later."
        )
    if not _is_whole(answer):
        dialect.honoured_size = min(size, answer.record_count)
    _check_range(axis, window, answer)
    return answer


def _check_range(axis: Axis, window: Window, answer: SearchAnswer) -> None:
    end = window.end + MINUTE
    outside = [at for at in _instants(axis, answer) if at is None or not window.start <= at < end]
    if not outside:
        return
    near = window.start - _WIDEST_ZONE_OFFSET, window.end + _WIDEST_ZONE_OFFSET
    is_shifted = all(at is not None and near[0] <= at <= near[1] for at in outside)
    cause = (
        "the filter seems to be read in another time zone: run `nexudus-billing doctor` and set NEXUDUS_FILTER_TIMEZONE"
        if is_shifted
        else "the filter seems to be ignored: run `nexudus-billing doctor`"
    )
    raise (ShiftedRangeError if is_shifted else OutsideRangeError)(
        f"{len(outside)} of {answer.record_count} rows lie outside the range asked for, {window.start:%Y-%m-%dT%H:%M} "
        f"to {window.end:%Y-%m-%dT%H:%M} of {axis.name}; {cause}. Nothing of this answer was used."
    )


def _check_seam(source: Source, axis: Axis, seam: tuple[KnownRow, ...], answer: SearchAnswer, dialect: Dialect) -> None:
    """A filter read in a zone ahead leaves hours out without one row outside the range; known rows betray it."""
    if not seam or not answer.ids.isdisjoint(row.id for row in seam):
        return
    is_any_left = answer.record_count > 0
    for row in seam[:_SEAM_ROWS]:
        found = source.search(HistoryFilters(coworker_invoice_id=row.coworker_invoice_id), size=dialect.page_size)
        is_any_left = is_any_left or found.record_count > 0
        if any(record.id == row.id and axis.instant(record) == row.instant for record in axis.placed(found.records)):
            raise SeamError(
                f"Entry {row.id} lies at {row.instant:%Y-%m-%dT%H:%M:%SZ} of {axis.name}, and the range filter left it "
                "out: run `nexudus-billing doctor` and set NEXUDUS_FILTER_TIMEZONE. Nothing of this run was closed."
            )
    if not is_any_left and source.search(HistoryFilters(), size=1).total_items == 0:
        raise NothingThereError(
            "Entries are known, and the API shows none at all any more, which is likelier a lost role than their "
            "deletion; nothing was closed. Run `nexudus-billing doctor`, and look at the entries in Nexudus."
        )


def _read_minute(source: Source, axis: Axis, minute: Window, dialect: Dialect) -> Iterator[Step]:
    """A minute fuller than a page, by Id, last page first: what vanishes meanwhile is seen twice rather than missed."""
    try:
        answer = _ask(source, axis, minute, dialect, order_by="Id")
        for _ in range(_PASSES_OVER_A_MINUTE):
            total, size, ids = answer.total_items, min(dialect.page_size, max(1, answer.page_size)), set[int | None]()
            for page in range(max(1, -(-total // size)), 0, -1):
                answer = _ask(source, axis, minute, dialect, page=page, size=size, order_by="Id")
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


def _is_whole(answer: SearchAnswer) -> bool:
    return not answer.has_next_page and answer.record_count >= answer.total_items


def _instants(axis: Axis, answer: SearchAnswer) -> list[datetime | None]:
    return list(map(attrgetter(axis.column), axis.placed(answer.records)))


def _known_instants(axis: Axis, answer: SearchAnswer) -> list[datetime]:
    # To the second: a server may show fractions that it does not sort by.
    instants = [at.replace(microsecond=0) for at in _instants(axis, answer) if at is not None]
    if not instants:
        raise BrokenPromiseError(
            f"Not one of {answer.record_count} records keeps the API's contract (the first: "
            f"{answer.rejected[0].reason}); nothing was closed. The API may have changed: look for a newer version."
        )
    return instants


def _is_sorted(axis: Axis, answer: SearchAnswer, instants: list[datetime]) -> bool:
    """Whether the rows never go down, and the server does not say that it sorted them by something else."""
    if answer.order_field and answer.order_field.casefold() != axis.name.casefold():
        return False
    return _climbs(instants)


def _ascents(instants: list[datetime]) -> int:
    return sum(map(lt, instants, islice(instants, 1, None)))


def _complete_until(answer: SearchAnswer, instants: list[datetime], dialect: Dialect) -> datetime:
    """The instant before which an ascending page holds all rows: that of its last row, if time is its order.

    A server that sorts by Id or by CreatedOn whatever it is asked can look the same as long as no row moved. Until a
    page has gone up in time and down in both, its last row's CreatedOn is safe: the rows behind it were created, and so
    updated, no earlier.
    """
    _rule_out(answer, instants, dialect)
    return _bounded(instants[-1], answer.records[-1], dialect)


def _rule_out(answer: SearchAnswer, instants: list[datetime], dialect: Dialect) -> None:
    if dialect.rivals and _climbs(instants):
        ids = [record.id for record in answer.records]
        created = [record.created_on.replace(microsecond=0) for record in answer.records if record.created_on]
        dialect.rivals -= {name for name, keys in (("id", ids), ("created_on", created)) if not _climbs(keys)}


def _bounded(instant: datetime, record: HistoryRecord, dialect: Dialect) -> datetime:
    return min(instant, record.created_on) if dialect.rivals and record.created_on else instant


def _climbs(keys: Sequence[Any]) -> bool:
    return all(map(le, keys, islice(keys, 1, None)))


def _seam_at(axis: Axis, answer: SearchAnswer, minute: datetime) -> tuple[KnownRow, ...]:
    """The rows of the answer's last minute."""
    return tuple(
        KnownRow(record.id, record.coworker_invoice_id, at)
        for record in answer.records
        if (at := axis.instant(record)) is not None and at >= minute
    )
