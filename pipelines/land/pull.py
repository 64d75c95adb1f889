"""Windows of an axis from the API into the warehouse: one transaction an answer, rows and ledger together."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb
import msgspec

from pipelines.extract.axes import UPDATED_ON, Axis
from pipelines.extract.checked_answers import Step
from pipelines.extract.entity import Entity, Source
from pipelines.extract.order import Dialect
from pipelines.extract.records import Record, SearchAnswer
from pipelines.extract.seam import ShiftedFilterError
from pipelines.extract.seek import first_instant, seek, seek_with_seam
from pipelines.extract.side_by_side import side_by_side
from pipelines.extract.windows import MINUTE, Window, floor_minute, gaps, merge, split
from pipelines.foundation.transactions import transaction
from pipelines.land import ledger
from pipelines.land.account import require_same
from pipelines.land.erased_people import Withhold, withhold_all
from pipelines.land.merge import Page, RowCounts, land_pages
from pipelines.land.set_aside import due_ranges, settle
from pipelines.land.warehouse import WritingAlone
from pipelines.settings import Clock


@dataclass
class PullReport:
    """What a run did so far.

    `rows` by outcome, `answer_count` answers landed, `remaining_count` rows still to come as far as the answers tell,
    `open_minutes` minutes that never read consistently, `deleted_count` entries found gone, `fewest_request_count`
    the questions that any reader would have needed, `first_answered_at` and `answered_at` the instants of the first and
    the newest answer by the server's clock, `seen_until` the newest instant at which any row was seen,
    `is_same_account` once an answer held an entry that the warehouse has, `is_date_wrong` once
    an answer's own rows, or our clock, contradicted its `Date`.
    """

    windows: list[tuple[Axis, Window]] = field(default_factory=list)
    rows: RowCounts = field(default_factory=RowCounts)
    answer_count: int = 0
    remaining_count: int = 0
    deleted_count: int = 0
    fewest_request_count: int = 0
    open_minutes: list[datetime] = field(default_factory=list)
    answered_at: datetime | None = None
    first_answered_at: datetime | None = None
    seen_until: datetime | None = None
    is_same_account: bool = False
    is_date_wrong: bool = False

    @property
    def pulled(self) -> str:
        """The ranges that were read, in UTC, for a person. The ledger's come in the time zone of this machine."""
        return ", ".join(
            ("" if axis is UPDATED_ON else f"{axis.name} ")
            + f"{window.start.astimezone(UTC):%Y-%m-%dT%H:%M} to {window.end.astimezone(UTC):%Y-%m-%dT%H:%M} UTC"
            for axis, window in self.windows
        )


# Each part begins with a small question and ends with a page that is not full, so it has to be worth it: at most 4 %
# more requests.
_PAGES_PER_PART = 50
_PARTS_PER_WORKER = 4
_FEWEST_PARTS = 2
_ANSWERS_THAT_PROVE = 2
# Of small pages many land at once, for a transaction costs as much as a hundred rows; some ten megabytes wait at most.
_ROWS_WAITING = 4_000
# Our own clock may be off by some hours. A `Date` farther ahead of it is believed no more than it.
_AHEAD_OF_OURS = timedelta(days=1)
BEFORE_FIRST_ENTRY = "before the first entry"
"""The run in the ledger that closed the empty years, where no run of Dagster's had begun yet."""

OnStep = Callable[[PullReport], None]


@dataclass(frozen=True)
class Pull:
    """How windows are read and landed: from where, in what pages, by how many workers, under which run's name.

    `writing_alone` is that of the warehouse which the connection has open. `clock` is this machine's: nothing younger
    than the settling time by it is closed either. `withhold` says what stays of the texts of people who were erased.
    """

    connection: duckdb.DuckDBPyConnection
    source: Source
    page_size: int
    run_id: str
    settle: timedelta
    workers: int = 1
    on_step: OnStep = lambda _: None
    report: PullReport = field(default_factory=PullReport)
    writing_alone: WritingAlone = transaction
    clock: Clock | None = None
    withhold: Withhold = withhold_all

    @property
    def entity(self) -> Entity:
        """Whose records are read."""
        return self.source.entity

    def read(self, axis: Axis, windows: Iterable[Window]) -> None:
        """Read the windows and land each answer as it comes; a large window is split and read side by side.

        Killed at any instant, what was landed stays and what was not is still a gap. Raises what `seek` and the
        client raise; everything landed before stays true, and what was closed on the word of a filter that turns out to
        be read in another time zone is open again.
        """
        dialect = Dialect(self.page_size)
        for window in windows:
            self.report.windows.append((axis, window))
            known = _known_part(self.connection, self.entity, axis, window)
            seam = ledger.seam_of(self.connection, self.entity, axis, known)
            known_ids = partial(ledger.ids_in, self.connection, self.entity, axis, known)
            rows_before = sum(self.report.rows)
            try:
                in_one_go = seek(self.source, axis, window, dialect, seam, known_ids=known_ids)
                for steps in _in_parts(self.source, axis, window, dialect, in_one_go, workers=self.workers):
                    self.land(axis, *map(self._believed, steps))
                    self.on_step(self.report)
            except ShiftedFilterError:
                self._require_same_account()
                ledger.reopen(self.connection, self.entity, axis, (self.run_id, BEFORE_FIRST_ENTRY))
                raise
            row_count = sum(self.report.rows) - rows_before
            size = dialect.honoured_size or dialect.page_size
            self.report.fewest_request_count += max(1, -(-row_count // size))
        self.report.open_minutes += dialect.open_minutes

    def land(self, axis: Axis, *steps: Step) -> None:
        """Some answers and what they close, in one transaction."""
        answers = [step.answer for step in steps]
        self._require_same_account(record for answer in answers for record in answer.records)
        with self.writing_alone(self.connection):
            pages = [self._page(axis, step) for step in steps]
            self.report.rows += land_pages(self.connection, self.entity, pages, self.withhold)
            for answer, closed, *_ in steps:
                if closed:
                    # What is younger than the settling time, by any clock, could still get company.
                    now = self._dated(answer)
                    settled_at = floor_minute((min(now, self.clock()) if self.clock else now) - self.settle)
                    ledger.close(
                        self.connection,
                        self.entity,
                        axis,
                        Window(closed.start, min(closed.end, settled_at)),
                        run_id=self.run_id,
                        row_count=answer.record_count,
                        request_count=1,
                        closed_at=now,
                    )
        self.report.answer_count += len(answers)
        for answer, _, left_count, _ in steps:
            at = self._dated(answer)
            self.report.answered_at = max(at, self.report.answered_at or at)
            self.report.first_answered_at = self.report.first_answered_at or at
            self.report.remaining_count = max(self.report.remaining_count - answer.record_count, left_count)

    def _page(self, axis: Axis, step: Step) -> Page:
        answer, shown = step.answer, step.shown if axis is UPDATED_ON else None
        is_full = answer.record_count >= min(self.page_size, answer.page_size)
        return Page(answer.records, answer.rejected, self._seen_at(answer), shown, is_full)

    def believed_at(self, answer: SearchAnswer) -> datetime:
        """When an answer was given: its `Date`, unless this machine's clock or a row of the answer contradicts it."""
        if self.clock and not self.report.is_date_wrong:
            ours = self.clock()
            stamps = (record.touched_at for record in answer.records if record.has_updated_on)
            newest = max((at for at in stamps if at <= ours), default=answer.answered_at)
            self.report.is_date_wrong = not newest - MINUTE <= answer.answered_at <= ours + _AHEAD_OF_OURS
        return self._dated(answer)

    def _dated(self, answer: SearchAnswer) -> datetime:
        """The same of an answer whose rows have been looked at."""
        return self.clock() if self.clock and self.report.is_date_wrong else answer.answered_at

    def _seen_at(self, answer: SearchAnswer) -> datetime:
        """The same, but never before what was seen earlier: this answer is the later one, whatever its server says."""
        report, at = self.report, self.believed_at(answer)
        if report.seen_until is None:
            ((seen_until,),) = self.connection.execute(f"select max(seen_at) from {self.entity.rows}").fetchall()  # noqa: S608
            report.seen_until = min(seen_until, at + _AHEAD_OF_OURS) if seen_until else at
        report.seen_until = max(report.seen_until, at)
        return report.seen_until

    def settle_set_aside(self, now: datetime) -> None:
        """After reading: what became of the records that had been set aside in the minutes read."""
        read = [window for axis, window in self.report.windows if axis is UPDATED_ON]
        with self.writing_alone(self.connection):
            settle(self.connection, self.entity, read, self.report.first_answered_at, now)

    def _require_same_account(self, records: Iterable[Record] = ()) -> None:
        """Before anything of another account is landed, or closed on its word."""
        if not self.report.is_same_account:
            require_same(self.connection, self.source, records)
            self.report.is_same_account = True

    def _believed(self, step: Step) -> Step:
        return step if step.answer.record_count or self.has_landed() else step._replace(closed=None)

    def has_landed(self) -> bool:
        """Whether any record is there. A login that may see nothing yet gets empty answers: they prove nothing."""
        query = f"select 1 from {self.entity.rows} limit 1"  # noqa: S608 - names of our own
        return self.connection.execute(query).fetchone() is not None


def _in_parts(
    source: Source, axis: Axis, window: Window, dialect: Dialect, steps: Iterator[Step], *, workers: int
) -> Iterator[list[Step]]:
    """Answers tell how much there is: a small window is read in one go, the rest of a large one in parts side by side.

    The first two answers come one after the other, and the seam between them shows that the filter leaves nothing out.
    """
    closed: list[Window] = []
    for step in steps:
        yield [step]
        closed += [step.closed] if step.closed else []
        page_count = step.left_count // (dialect.honoured_size or dialect.page_size)
        part_count = min(page_count // _PAGES_PER_PART, _PARTS_PER_WORKER * workers)
        if step.closed and len(closed) >= _ANSWERS_THAT_PROVE and part_count >= _FEWEST_PARTS:
            left = gaps([window], closed)
            parts = left[:-1] + [part for rest in left[-1:] for part in split(rest, part_count)]
            readers = (seek_with_seam(source, axis, part, window.end, dialect) for part in parts)
            yield from side_by_side(readers, workers, max(workers, _ROWS_WAITING // dialect.page_size))
            return


def close_before_first_entry(pull: Pull, history: Window) -> datetime | None:
    """Close the empty years before the first entry, by one request, where the beginning of `history` is not closed.

    Returns when the first entry is, where that was asked and there is one. Without it a first sync would touch every
    month since NEXUDUS_HISTORY_START.
    """
    closed = ledger.closed_windows(pull.connection, pull.entity, UPDATED_ON)
    before = Window(history.start, min(closed[0].start, history.end) if closed else history.end)
    if before.is_empty:
        return None
    answer, first = first_instant(pull.source, UPDATED_ON, before, Dialect(pull.page_size))
    if first and (answer.record_count or pull.has_landed()):
        nothing = msgspec.structs.replace(answer, records=[], rejected=[])
        pull.land(UPDATED_ON, Step(nothing, Window(before.start, floor_minute(first))))
    return first


def planned_windows(
    connection: duckdb.DuckDBPyConnection,
    entity: Entity,
    axis: Axis,
    history: Window,
    *,
    lookback: timedelta,
    page_size: int,
) -> list[Window]:
    """What a sync of an entity's `history` has to pull now, by the ledger, the lookback, and what was set aside."""
    newest = ledger.newest_row_at(connection, entity, axis, page_size)
    planned = ledger.windows_to_pull(history, ledger.closed_windows(connection, entity, axis), lookback, newest)
    again = due_ranges(connection, entity, history.end, page_size) if axis is UPDATED_ON else []
    return merge([*planned, *(window.meet(history) for window in again)])


def _known_part(connection: duckdb.DuckDBPyConnection, entity: Entity, axis: Axis, window: Window) -> Window:
    """The beginning of a window that the ledger holds as closed already."""
    overlaps = (closed.meet(window) for closed in ledger.closed_windows(connection, entity, axis))
    return next(
        (known for known in overlaps if known.start == window.start and not known.is_empty),
        Window(window.start, window.start),
    )
