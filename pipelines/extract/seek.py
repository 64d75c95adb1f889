"""A range of a moving table, read exactly: each answer closes minutes for good, or says why it cannot.

Rows move (an update sets UpdatedOn to now) and vanish while one reads, so page numbers skip rows. Here every question
asks for page 1 of what is still open, in ascending order. One answer is one consistent instant: every minute before
that of its last row is complete. No answer depends on another, so nothing can fall between two.

Where the rows received do not prove the order yet, the range is cut just before the last of them: what lies before is
complete if the server then counts as many rows fewer as were seen there, and else it is asked for by itself. Where rows
come unsorted, or none can be read, the range is halved until an answer holds all of it. A minute that fills a page is
cut out, and read by Id (`dense_minute`).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from pipelines.extract.axes import Axis
from pipelines.extract.checked_answers import Asker, Step
from pipelines.extract.dense_minute import KnownIds, read_by_id
from pipelines.extract.entity import Source
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
from pipelines.extract.seam import SEAM_ROWS, KnownRow, SeamError, check_seam, seam_at
from pipelines.extract.windows import MINUTE, Window, floor_minute, split

# A broken seam accuses the filter and ends the run, so one odd answer is not enough.
_TRIES = 3


class _Task(NamedTuple):
    """A question to ask: its range, and the rows known to lie in it.

    `unproved` is the stretch just before it, which is complete if the range counts `expected_count` rows.
    """

    window: Window
    seam: tuple[KnownRow, ...] = ()
    is_dense: bool = False
    unproved: Window | None = None
    expected_count: int = 0
    unproved_seam: tuple[KnownRow, ...] = ()
    tries: int = _TRIES


def seek(
    source: Source,
    axis: Axis,
    window: Window,
    dialect: Dialect,
    seam: tuple[KnownRow, ...] = (),
    *,
    known_ids: KnownIds = lambda _: None,
) -> Iterator[Step]:
    """Read `window` exactly; yields each answer as it comes with the minutes it closes.

    `seam` names rows known to lie in the window's first minutes, `known_ids` those landed in a range that was closed
    before. A minute that stays inconsistent is left open and listed in `dialect.open_minutes`. Raises
    OutsideRangeError, NotEchoedError, NothingThereError, EnvelopeError: whatever was yielded before stays true. After
    ShiftedFilterError it does not.
    """
    asker = Asker(source, axis, dialect)
    todo = [_Task(window, seam)]
    while todo:
        task = todo.pop()
        if task.window.is_empty:
            continue
        if task.is_dense:
            yield from read_by_id(asker, task.window, task.seam, known_ids)
            continue
        answer = asker.ask(task.window)
        if asker.is_whole(answer):
            until, onward = task.window.end, list[_Task]()
        else:
            until, onward = _onward(asker, task, answer)
        try:
            check_seam(source, axis, [row for row in task.seam if row.instant < until], answer, dialect)
        except SeamError:
            if task.tries == 1:
                raise
            todo.append(task._replace(tries=task.tries - 1))
            continue
        start = task.window.start
        if task.unproved and answer.total_items == task.expected_count:
            start = task.unproved.start
        elif task.unproved:
            onward.append(_Task(task.unproved, task.unproved_seam))
        closed = Window(start, until)
        left_count = 0 if asker.is_whole(answer) else answer.total_items - answer.record_count
        yield Step(answer, None if closed.is_empty else closed, left_count, _shown(asker, task.window, answer))
        todo += reversed(onward)


def _onward(asker: Asker, task: _Task, answer: SearchAnswer) -> tuple[datetime, list[_Task]]:
    """Up to when a full page is complete, and what to ask next, in the order of time."""
    axis, dialect, window = asker.axis, asker.dialect, task.window
    instants = known_instants(axis, answer)
    if not instants:
        is_dense = window.span == MINUTE
        return window.start, [_Task(part, _rows_in(part, task.seam), is_dense=is_dense) for part in split(window, 2)]
    is_sorted, climbs = is_sorted_by(axis, answer, instants), ascents_in(instants)
    until = window.start
    bound = floor_minute(complete_until(answer, instants, dialect))
    if is_sorted:
        dialect.saw_order(climbs)
        if climbs and dialect.ascents >= ENOUGH_ASCENTS:
            until = max(until, min(bound, window.end))
    else:
        dialect.try_another_direction()
    rest, last = Window(until, window.end), floor_minute(max(instants))
    seam = _rows_in(rest, (*task.seam, *seam_at(asker.source.entity, axis, answer, until)))
    if window.span == MINUTE:
        return until, [_Task(rest, seam, is_dense=True)]
    if floor_minute(min(instants)) == last:
        return until, _around(last, rest, seam)
    if not is_sorted:
        is_again = dialect.misses <= len(DIRECTIONS)
        return until, [_Task(part, _rows_in(part, seam)) for part in ([window] if is_again else split(window, 2))]
    if until >= min(last, window.end):
        return until, [_Task(rest, seam)]
    return until, _before_and_after(axis, _cut_at(last, rest), rest, answer, seam)


def _shown(asker: Asker, window: Window, answer: SearchAnswer) -> Window:
    """Where the rows of an answer lie: in an ascending page, none after the minute of the last but what comes again."""
    instants = known_instants(asker.axis, answer)
    if asker.is_whole(answer) or not instants:
        return window
    return Window(window.start, min(window.end, floor_minute(max(instants)) + MINUTE))


def _around(minute: datetime, window: Window, seam: tuple[KnownRow, ...]) -> list[_Task]:
    """A minute that fills a page is read by Id, and what lies before it (mostly nothing) and after it by themselves.

    Unless what lies before is complete already, the minute before goes along: a server that counts the end of a range
    in would show rows on the stroke of the full minute there.
    """
    dense = Window(minute - MINUTE, minute + MINUTE).meet(window)
    parts = Window(window.start, dense.start), dense, Window(dense.end, window.end)
    return [_Task(part, _rows_in(part, seam), is_dense=part is dense) for part in parts]


def _cut_at(last: datetime, window: Window) -> datetime:
    """Where to part what a page shows from what it may not: no row of the last minute shows before, on any server."""
    before = last - MINUTE if last - MINUTE > window.start else last
    return min(before, window.end - MINUTE)


def _before_and_after(
    axis: Axis, cut: datetime, window: Window, answer: SearchAnswer, seam: tuple[KnownRow, ...]
) -> list[_Task]:
    """Two questions; only the second where its count shows that the first would bring nothing new.

    That holds where every row says where it lies, no row can come to lie in the range any more, and the full page does
    not claim to be all.
    """
    before, after = Window(window.start, cut), Window(cut, window.end)
    instants = instants_of(axis, answer)
    is_certain = len(instants) == answer.record_count and all(instants) and answer.answered_at >= window.end
    if before.is_empty or not is_certain or answer.total_items <= answer.record_count:
        return [_Task(part, _rows_in(part, seam)) for part in (before, after)]
    seen_count = sum(at < cut for at in instants if at)
    return [
        _Task(
            after,
            _rows_in(after, seam),
            unproved=before,
            expected_count=answer.total_items - seen_count,
            unproved_seam=_rows_in(before, seam),
        )
    ]


def _rows_in(window: Window, rows: tuple[KnownRow, ...]) -> tuple[KnownRow, ...]:
    return tuple(row for row in rows if row.instant in window)


def seek_with_seam(source: Source, axis: Axis, window: Window, end: datetime, dialect: Dialect) -> Iterator[Step]:
    """The same for a part of a larger range that goes on to `end`, where no row of the part is known yet.

    One small question first, for the first rows from its start on: an empty answer for a part is not believed.
    """
    asker = Asker(source, axis, dialect)
    answer = asker.ask(Window(window.start, end), size=SEAM_ROWS)
    seam = _rows_in(window, seam_at(source.entity, axis, answer, window.start))
    yield from seek(source, axis, window, dialect, seam)


def first_instant(source: Source, axis: Axis, window: Window, dialect: Dialect) -> tuple[SearchAnswer, datetime | None]:
    """Before which instant a window holds no row, by one question a direction; None where no answer proves it."""
    asker = Asker(source, axis, dialect)
    for _ in DIRECTIONS:
        answer = asker.ask(window)
        if answer.rejected or not all(record.has_updated_on for record in answer.records):
            return answer, None  # nobody knows where these lie
        if asker.is_whole(answer):
            return answer, min((at for at in instants_of(axis, answer) if at), default=window.end)
        instants = known_instants(axis, answer)
        if is_sorted_by(axis, answer, instants):
            rule_out(answer, instants, dialect)
            is_proved = ascents_in(instants) >= ENOUGH_ASCENTS
            return answer, bounded(instants[0], answer.records[0], dialect) if is_proved else None
        dialect.try_another_direction()
    return answer, None
