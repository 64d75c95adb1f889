"""Finds by count what an incremental reading cannot see: deletions, misses, and records stamped in the past.

The API's counts over ranges of every axis of an entity are compared with the warehouse's own; a range that differs is
halved until it is worth listing. What is listed is landed, so a miss, a late stamp or a payment entered with a date of
last week is repaired by being seen. A record that is here and not in the list is looked up by its key (an entry by its
invoice), and marked `deleted_at` only when it is not there either: one that has merely moved is not gone.

A count cannot see a deletion and a late record that fall into one range on all axes. So the ranges are cut elsewhere in
each run, and every third month is listed whatever it counts, the others in the next two runs.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from typing import NamedTuple

import polars as pl

from pipelines.extract.axes import UPDATED_ON, Axis
from pipelines.extract.order import Dialect
from pipelines.extract.seek import seek
from pipelines.extract.windows import MINUTE, Window
from pipelines.foundation.rows import insert_row
from pipelines.land import ledger
from pipelines.land.looking_up import held_with_later_stamp, look_up
from pipelines.land.losses import LossRefusedError, loss_of
from pipelines.land.merge import RowCounts
from pipelines.land.pull import Pull

# Up to this many pages the whole scope is listed: that costs no more than counting, and sees everything.
_PAGES_WORTH_LISTING = 36
# Where counting begins. Each range is counted alone, so that a deletion in one cannot hide an addition in another.
_RANGES_PER_AXIS = 18
_TURNS = 3
_SAFE_LOSS_COUNT = 20
_SAFE_LOSS_SHARE = 0.05

FAR_AHEAD = timedelta(days=1)

Count = Callable[[Window], int]


@dataclass(frozen=True)
class OwnRows:
    """The warehouse's live rows on an axis: their instants in seconds since 1970, ascending."""

    seconds: pl.Series

    def count(self, window: Window) -> int:
        """Rows in a window."""
        return self._rank(window.end.timestamp()) - self._rank(window.start.timestamp())

    def cut(self, window: Window, share: float, lean: float = 0.0) -> datetime:
        """A minute without rows, after about `share` of the window's rows; the window's end where there is none.

        Servers differ in whether a range holds its last minute. Where that minute is empty they all count alike. Of
        the empty minutes up to the next row it is the first, or one that lies `lean` of the way there.
        """
        low, high = self._rank(window.start.timestamp()), self._rank(window.end.timestamp())
        if high == low:
            return window.end
        position = min(low + int((high - low) * share), high - 1)
        minute = self.seconds[position] // 60 + 1
        while (position := self._rank(minute * 60)) < high and self.seconds[position] // 60 == minute:
            minute += 1
        next_row = self.seconds[position] if position < high else window.end.timestamp()
        minute += int(max(0, next_row // 60 - minute) * lean)
        return min(datetime.fromtimestamp(minute * 60, UTC), window.end)

    def quiet_minute_before(self, end: datetime) -> datetime:
        """The last minute before `end` that holds none of our rows: as good an end, and all servers count it alike."""
        minute = end - MINUTE
        while self.count(Window(minute, minute + MINUTE)):
            minute -= MINUTE
        return minute

    def _rank(self, seconds: float) -> int:
        return int(self.seconds.search_sorted(int(seconds)))


def cut_up(window: Window, own: OwnRows, parts: int, shift: float = 0.0, lean: float = 0.0) -> list[Window]:
    """The window in at most `parts` pieces of about as many rows, cut at empty minutes.

    All cuts lie `shift` of a piece earlier, and `lean` of the way to the next row later: over the runs they come
    everywhere, before the newest rows too.
    """
    edges = {own.cut(window, (part - shift) / (parts - 1), lean) for part in range(1, parts)} - {window.start}
    bounds = [window.start, *sorted(edges | {window.end})]
    return [Window(start, end) for start, end in pairwise(bounds)]


def differing(windows: list[Window], own: OwnRows, count: Count, page_size: int) -> Iterator[Window]:
    """The pieces in which the server counts other than we do, halved until they are worth listing."""
    todo = list(reversed(windows))
    while todo:
        window = todo.pop()
        theirs, ours = count(window), own.count(window)
        if theirs == ours:
            continue
        middle = own.cut(window, 0.5)
        if max(theirs, ours) <= page_size or middle == window.end:
            yield window
        else:
            todo += [Window(middle, window.end), Window(window.start, middle)]


class Suspect(NamedTuple):
    """A record that we hold live and that a list of its range did not hold."""

    id: int
    key: int
    seen_at: datetime


def reconcile(pull: Pull, scope: Window, read_newest: Callable[[], None], *, accepted_loss: int = 0) -> None:
    """Compare `scope` with the API, land what was missed, mark what is gone, and note it in `land.reconciliations`.

    `scope` should have been read before, for what was not is listed; `read_newest` pulls what has moved to the newest
    minutes since. Raises LossRefusedError before anything is marked when everything, or more than a safe share and
    than `accepted_loss` records, seems gone.
    """
    live_count, deleted_before = _live_count(pull), _deleted_count(pull)
    most = max(_SAFE_LOSS_COUNT, int(_SAFE_LOSS_SHARE * live_count), accepted_loss)
    gone: set[Suspect] = set()
    repaired = RowCounts()
    # UpdatedOn first: what is found gone there is left out of the counts on the others, and so looked for only once.
    for axis in pull.entity.axes:
        before = pull.report.rows
        suspects = _unlisted(pull, axis, scope, gone)
        repaired += _since(pull, before)
        if suspects:
            read_newest()
            _read_unsettled(pull)
            suspects &= _live(pull, suspects)
        # Where much changes meanwhile, many have only moved: they are looked up unless the API itself counts fewer.
        seem_gone = {suspect.id for suspect in suspects | gone}
        if len(seem_gone) > most and pull.source.search(size=1).total_items < live_count - most:
            raise LossRefusedError(loss_of(pull, seem_gone, live_count))
        before = pull.report.rows
        gone |= _not_there(pull, suspects)
        repaired += _since(pull, before)
    if gone and (len(gone) > most or len(gone) >= live_count):
        raise LossRefusedError(loss_of(pull, {suspect.id for suspect in gone}, live_count))
    returned = deleted_before - _deleted_count(pull)
    _mark(pull, [suspect.id for suspect in gone])
    pull.report.deleted_count += len(gone)
    _note(pull, scope, missed=repaired.new, changed=repaired.changed, returned=returned)


def reconcile_covered(
    pull: Pull, read_newest: Callable[[], None], days: int | None = None, *, accepted_loss: int = 0
) -> None:
    """Reconcile all that the ledger covers, or its last `days`, once the newest is read."""
    read_newest()
    closed = ledger.closed_windows(pull.connection, pull.entity, UPDATED_ON)
    if closed:  # from end to end: a minute left open in between hides nothing before it
        covered = Window(closed[0].start, closed[-1].end)
        start = covered.end - timedelta(days=days) if days else covered.start
        reconcile(pull, Window(max(start, covered.start), covered.end), read_newest, accepted_loss=accepted_loss)


def _since(pull: Pull, before: RowCounts) -> RowCounts:
    return RowCounts(*(now - then for now, then in zip(pull.report.rows, before, strict=True)))


def _unlisted(pull: Pull, axis: Axis, scope: Window, gone: set[Suspect]) -> set[Suspect]:
    """Records that we hold where the API counts other than we do, and that it does not list there."""
    own = own_rows(pull, axis, gone)
    suspects: set[Suspect] = set()
    counted = Window(scope.start, own.quiet_minute_before(scope.end))
    for window in chain(worth_listing(pull, axis, counted, own), _in_turn(pull, axis, counted, own)):
        suspects |= _listed_without(pull, axis, window)
    return suspects - gone


def _in_turn(pull: Pull, axis: Axis, scope: Window, own: OwnRows) -> list[Window]:
    """The months of UpdatedOn that this run lists whatever they count: each of them in one of three runs.

    Runs over a shorter scope, as the daily ones, keep to a turn of their own.
    """
    if axis is not UPDATED_ON or _is_small(pull, scope, own):
        return []
    ((turn,),) = pull.connection.execute(
        "select count(*) from land.reconciliations where entity = $entity and scope_from_at <= $start",
        {"entity": pull.entity.name, "start": scope.start},
    ).fetchall()
    first = datetime.fromtimestamp(own.seconds[0], UTC)
    months = range(first.year * 12 + first.month - 1, scope.end.year * 12 + scope.end.month)
    starts = [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in (*months, months.stop)]
    windows = [Window(*ends).meet(scope) for ends in pairwise(starts)]
    return [window for month, window in zip(months, windows, strict=True) if month % _TURNS == turn % _TURNS]


def worth_listing(pull: Pull, axis: Axis, scope: Window, own: OwnRows) -> Iterator[Window]:
    """The ranges in which the API counts other than we do, small enough to be listed; a small scope is one of them."""
    is_small = _is_small(pull, scope, own)
    if is_small and axis is UPDATED_ON:
        return iter([scope])
    chance = random.Random(f"{pull.run_id} {axis.name}")  # noqa: S311 - repeatable, no secret
    pieces = [scope] if is_small else cut_up(scope, own, _RANGES_PER_AXIS, chance.random(), chance.random())

    def count(window: Window) -> int:
        return pull.source.search(axis.filters(window), size=1).total_items

    return differing(pieces, own, count, pull.page_size)


def _is_small(pull: Pull, scope: Window, own: OwnRows) -> bool:
    return own.count(scope) <= _PAGES_WORTH_LISTING * pull.page_size


def list_window(pull: Pull, axis: Axis, window: Window) -> set[int]:
    """Land what a window holds, closing nothing; its Ids. What went back in time is looked up, and taken as it is."""
    listed: set[int] = set()
    went_back: set[int] = set()
    for step in seek(pull.source, axis, window, Dialect(pull.page_size)):
        listed |= step.answer.ids
        went_back |= {pull.entity.key(record) for record in held_with_later_stamp(pull, step.answer)}
        pull.land(axis, step._replace(closed=None))
        pull.on_step(pull.report)
    look_up(pull, went_back)
    return listed


def _listed_without(pull: Pull, axis: Axis, window: Window) -> set[Suspect]:
    """List a window, and return what only we hold there."""
    listed = list_window(pull, axis, window)
    rows = pull.connection.execute(
        f"""
        select id, {pull.entity.lookup.column}, seen_at
        from {pull.entity.rows}
        where
            deleted_at is null
            and {axis.column} >= $start
            and {axis.column} < $end
            and {ledger.is_placed(axis)}
        """,  # noqa: S608 - names of our own
        {"start": window.start, "end": window.end},
    ).fetchall()
    return {Suspect(*row) for row in rows if row[0] not in listed}


def _read_unsettled(pull: Pull) -> None:
    """Land what moved to the minutes that are too new to be closed, so that nobody takes it for gone."""
    end = ledger.closed_windows(pull.connection, pull.entity, UPDATED_ON)[-1].end
    for step in seek(pull.source, UPDATED_ON, Window(end, end + FAR_AHEAD), Dialect(pull.page_size)):
        pull.land(UPDATED_ON, step._replace(closed=None))


def _live(pull: Pull, suspects: set[Suspect]) -> set[Suspect]:
    """The suspects as they are now: one that an answer has held since has another `seen_at`."""
    rows = pull.connection.execute(
        f"""
        select id, {pull.entity.lookup.column}, seen_at
        from {pull.entity.rows}
        where id in (select unnest($ids)) and deleted_at is null
        """,  # noqa: S608 - names of our own
        {"ids": [suspect.id for suspect in suspects]},
    ).fetchall()
    return {Suspect(*row) for row in rows}


def _not_there(pull: Pull, suspects: set[Suspect]) -> set[Suspect]:
    """Those that the API does not list under their key either; what it lists is landed as it is now."""
    listed = look_up(pull, (suspect.key for suspect in suspects))
    return {suspect for suspect in suspects if suspect.id not in listed}


def _mark(pull: Pull, ids: list[int]) -> None:
    pull.connection.execute(
        f"update {pull.entity.rows} set deleted_at = $at where id in (select unnest($ids::bigint[]))",  # noqa: S608
        {"at": pull.report.answered_at, "ids": ids},
    )


def _note(pull: Pull, scope: Window, *, missed: int, changed: int, returned: int) -> None:
    values = {
        "entity": pull.entity.name,
        "run_id": pull.run_id,
        "reconciled_at": pull.report.answered_at,
        "scope_from_at": scope.start,
        "scope_to_at": scope.end,
        "missed_count": missed,
        "changed_count": changed,
        "deleted_count": pull.report.deleted_count,
        "returned_count": returned,
    }
    insert_row(pull.connection, "land.reconciliations", values)


def own_rows(pull: Pull, axis: Axis, gone: Iterable[Suspect] = ()) -> OwnRows:
    """The live rows of the warehouse on an axis, without those found gone."""
    column = pull.connection.sql(
        f"""
        select epoch({axis.column})::bigint as seconds
        from {pull.entity.rows}
        where
            deleted_at is null
            and {axis.column} is not null
            and {ledger.is_placed(axis)}
            and id not in (select unnest($gone::bigint[]))
        order by seconds
        """,  # noqa: S608 - names of our own
        params={"gone": [suspect.id for suspect in gone]},
    )
    return OwnRows(pl.DataFrame(column)["seconds"])


def _live_count(pull: Pull) -> int:
    query = f"select count(*) from {pull.entity.rows} where deleted_at is null"  # noqa: S608 - a name of our own
    return int(pull.connection.execute(query).fetchall()[0][0])


def _deleted_count(pull: Pull) -> int:
    query = f"select count(deleted_at) from {pull.entity.rows}"  # noqa: S608 - a name of our own
    return int(pull.connection.execute(query).fetchall()[0][0])
