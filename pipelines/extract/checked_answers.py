"""One question of a walk, and the checks that any answer to it must pass before anything of it is used."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from pipelines.errors import BrokenPromiseError
from pipelines.extract.axes import Axis
from pipelines.extract.entity import Source
from pipelines.extract.order import Dialect, instants_of
from pipelines.extract.records import EnvelopeError, SearchAnswer
from pipelines.extract.seam import ShiftedFilterError
from pipelines.extract.windows import MINUTE, Window

_WIDEST_ZONE_OFFSET = timedelta(hours=15)
# Of a server that spoils every fifth answer, one question in 3,000 is spoiled five times in a row.
_TRIES = 5


class Step(NamedTuple):
    """An answer to land, and the window that is complete with it (None: nothing closed yet).

    `left_count` is how many rows the server counts behind those of the answer; `shown` where those of the answer lie.
    """

    answer: SearchAnswer
    closed: Window | None
    left_count: int = 0
    shown: Window | None = None


class OutsideRangeError(BrokenPromiseError):
    """An answer holds rows that the filter should have left out."""


class ShiftedRangeError(OutsideRangeError, ShiftedFilterError):
    """An answer holds rows of some hours before or after its range, and none from farther away."""


class NotEchoedError(BrokenPromiseError):
    """The answer is not to the question asked: another page, or a larger one."""


@dataclass(frozen=True)
class Asker:
    """Whom to ask, about which axis, in the dialect learned so far."""

    source: Source
    axis: Axis
    dialect: Dialect

    def ask(
        self, window: Window, *, page: int = 1, size: int | None = None, order_by: str | None = None
    ) -> SearchAnswer:
        """One question and the checks that any answer to it must pass; one that fails them is asked for again.

        A smaller page than asked for is as good: the next question starts where its rows end. So the size asked for
        stays, and one odd answer does not make all later ones small.
        """
        size = size or self.dialect.page_size
        for _ in range(_TRIES - 1):
            with suppress(EnvelopeError, NotEchoedError, OutsideRangeError):
                return self._checked(window, page, size, order_by)
        return self._checked(window, page, size, order_by)

    def is_whole(self, answer: SearchAnswer) -> bool:
        """Whether an answer holds all there is in its range. A full page is never the last without proof."""
        is_full = 0 < min(self.dialect.page_size, answer.page_size) <= answer.record_count
        return not answer.has_next_page and answer.total_items <= answer.record_count and not is_full

    def _checked(self, window: Window, page: int, size: int, order_by: str | None) -> SearchAnswer:
        answer = self.source.search(
            self.axis.filters(window),
            page=page,
            size=size,
            order_by=order_by or self.axis.name,
            direction=0 if order_by else self.dialect.direction,
        )
        _check_echo(answer, page, size)
        _check_range(self.axis, window, answer)
        if size == self.dialect.page_size and answer.has_next_page and answer.record_count:
            self.dialect.honoured_size = min(size, answer.record_count)
        return answer


def _check_echo(answer: SearchAnswer, page: int, size: int) -> None:
    if answer.page != page:
        raise NotEchoedError(f"Page {page} was asked for and page {answer.page} came; nothing of it was used.")
    if answer.record_count > size:
        raise NotEchoedError(f"{size} records were asked for and {answer.record_count} came; the size is ignored.")
    expected = min(answer.total_items - (page - 1) * size, size)
    is_smaller_page = answer.page_size < size and answer.record_count > 0
    is_promised = page == 1 and answer.has_next_page and answer.record_count > 0
    lacks_rows = answer.record_count < expected or (answer.has_next_page and answer.record_count == 0)
    if answer.total_items < answer.record_count or (lacks_rows and not is_smaller_page and not is_promised):
        raise EnvelopeError(
            f"The answer counts {answer.total_items} records and holds {answer.record_count} on page {page}; "
            "try again later."
        )


def _check_range(axis: Axis, window: Window, answer: SearchAnswer) -> None:
    end = window.end + MINUTE
    outside = [at for at in instants_of(axis, answer) if at is None or not window.start <= at < end]
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
