"""A minute fuller than a page, read by Id until one pass over its pages is consistent; or found as it was before."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from pipelines.extract.checked_answers import Asker, NotEchoedError, Step
from pipelines.extract.failures import DeepPageError, PageShrunkError
from pipelines.extract.records import SearchAnswer
from pipelines.extract.seam import KnownRow, check_seam
from pipelines.extract.windows import MINUTE, Window

KnownIds = Callable[[Window], Sequence[int] | None]
"""The Ids of the rows landed in a range, ascending; None where it was not closed before."""

_PASSES = 6
_SPARE_REQUESTS = 6
_SECOND = timedelta(seconds=1)


def read_by_id(asker: Asker, window: Window, seam: tuple[KnownRow, ...], known_ids: KnownIds) -> Iterator[Step]:
    """The answers for one or two minutes, of which the last closes them. Asks for at most twice their pages and a few.

    Where a page is too large for memory it begins again with smaller ones. If no pass is consistent, or the server
    refuses so deep a page, the last minute stays open and `asker.dialect.open_minutes` has it; the one before has a try
    of its own.
    """
    try:
        answer = asker.ask(window, order_by="Id")
        if asker.is_whole(answer):
            check_seam(asker.source, asker.axis, seam, answer, asker.dialect)
        if asker.is_whole(answer) or _is_as_known(asker, window, answer, known_ids):
            yield Step(answer, window, shown=window)
            return
        spare = _page_count(asker, answer) + _SPARE_REQUESTS
        for _ in range(_PASSES):
            for answer, is_consistent in _pass(asker, window, answer):  # noqa: B020 - each pass goes by the newest count
                spare -= 1
                yield Step(answer, window if is_consistent else None, shown=window)
                if is_consistent:
                    return
            if spare < 0:
                break
    except PageShrunkError:
        yield from read_by_id(asker, window, seam, known_ids)
        return
    except DeepPageError:
        pass
    if window.span > MINUTE:
        first = tuple(row for row in seam if row.instant < window.end - MINUTE)
        yield from read_by_id(asker, Window(window.start, window.end - MINUTE), first, known_ids)
    asker.dialect.open_minutes.append(window.end - MINUTE)


def _pass(asker: Asker, window: Window, answer: SearchAnswer) -> Iterator[tuple[SearchAnswer, bool]]:
    """The last page first: what vanishes meanwhile is seen twice rather than missed. Ends where the count changes."""
    total, size, ids = answer.total_items, _size_of(asker, answer), set[int]()
    # Where the last page would be full, the one behind it has to be empty.
    for page in range(total // size + 1, 0, -1):
        try:
            answer = asker.ask(window, page=page, size=size, order_by="Id")
        except NotEchoedError:
            if page <= -(-total // size):
                raise
            continue  # asked for a page that it does not have, this server shows its last
        ids |= answer.ids
        is_as_before = answer.total_items == total and answer.record_count == min(total - (page - 1) * size, size)
        yield answer, is_as_before and page == 1 and len(ids) == total
        if not is_as_before:
            return


def _is_as_known(asker: Asker, window: Window, answer: SearchAnswer, known_ids: KnownIds) -> bool:
    """Whether count, first page and last page are those of the rows landed, so that the pages between need no look.

    Servers differ in whether a range holds its end, to the second or the minute.
    """
    total, size, page = answer.total_items, _size_of(asker, answer), _page_count(asker, answer)
    ends = (window.end, window.end + _SECOND, window.end + MINUTE)
    known = next((ids for end in ends if len(ids := known_ids(Window(window.start, end)) or ()) == total), None)
    if known is None or answer.ids != set(known[:size]):
        return False
    answer = asker.ask(window, page=page, size=size, order_by="Id")
    return answer.total_items == total and answer.ids == set(known[(page - 1) * size :])


def _size_of(asker: Asker, answer: SearchAnswer) -> int:
    return min(asker.dialect.page_size, max(1, answer.page_size))


def _page_count(asker: Asker, answer: SearchAnswer) -> int:
    return max(1, -(-answer.total_items // _size_of(asker, answer)))
