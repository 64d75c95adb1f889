"""A question to the rows that answer it, at one instant. By an index where there is one, else by looking at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random
from typing import Any

from pipelines.sandbox.listing import Table
from pipelines.sandbox.questions import Question
from pipelines.sandbox.sorted_index import HasId

ValueOf = Callable[[Any], Any]
Values = Mapping[str, ValueOf]


@dataclass(slots=True)
class Found:
    """One page of rows, and how many there are in all."""

    entries: Sequence[Any]
    total: int


def search(
    table: Table, question: Question, *, shuffle: Random | None = None, unordered: Random | None = None
) -> Found:
    """The page that the question asks for. `shuffle` reorders ties; `unordered` gives up any order."""
    with table.lock:
        values = table.listing.values
        window = _window(table, question)
        checks = _checks(values, question, window.met)
        if checks or unordered is not None or window.order != question.order_by:
            rows = [entry for entry in window.rows() if all(check(entry) for check in checks)]
            if unordered is not None:
                unordered.shuffle(rows)
            elif window.order != question.order_by:
                # By Id first: equals then have an order, though only the index promises one.
                rows.sort(key=lambda entry: entry.id)
                if question.order_by != "Id":
                    rows.sort(key=_sort_key(values[question.order_by]))
            window = _Window(rows, 0, len(rows), question.order_by)
        return Found(_page(window, question, values, shuffle), window.last - window.first)


@dataclass(slots=True)
class _Window:
    """Rows [first, last) of a list, uncopied: a wide range over a large index costs nothing."""

    items: Sequence[Any]
    first: int
    last: int
    order: str
    met: str = ""

    def rows(self) -> Sequence[Any]:
        return self.items[self.first : self.last]


def _window(table: Table, question: Question) -> _Window:
    """Rows by the most selective index, what they are in order of, and the filter that is thereby met."""
    for column, rows_with in table.by_value.items():
        if column in question.equal:
            rows = rows_with(question.equal[column][0])
            return _Window(rows, 0, len(rows), "", f"={column}")
    for column, index in table.indexes.items():
        if column in question.ranges:
            return _Window(index.items, *index.bounds(*question.ranges[column]), column, column)
    for column, rows_within in table.by_range.items():
        if column in question.ranges:
            rows = rows_within(*question.ranges[column])
            return _Window(rows, 0, len(rows), column, column)
    order = question.order_by if question.order_by in table.indexes else "Id"
    return _Window(table.indexes[order].items, 0, len(table.indexes[order].items), order)


def _checks(values: Values, question: Question, met: str) -> list[Callable[[Any], bool]]:
    checks = [_equals(values[column], *wanted) for column, wanted in question.equal.items() if f"={column}" != met]
    checks += [_within(values[column], *limits) for column, limits in question.ranges.items() if column != met]
    return checks


def _equals(value_of: ValueOf, wanted: Any, end: Any) -> Callable[[Any], bool]:  # noqa: ANN401 - of the field's type
    if end is None:
        return lambda entry: value_of(entry) == wanted
    return _within(value_of, wanted, end)


def _within(value_of: ValueOf, low: Any, end: Any) -> Callable[[Any], bool]:  # noqa: ANN401 - of the field's type
    def check(entry: HasId) -> bool:
        value = value_of(entry)
        return value is not None and (low is None or low <= value) and (end is None or value < end)

    return check


def _sort_key(value_of: ValueOf) -> Callable[[Any], tuple[bool, Any]]:
    def key(entry: HasId) -> tuple[bool, Any]:
        value = value_of(entry)
        return (value is not None, value)

    return key


def _page(window: _Window, question: Question, values: Values, shuffle: Random | None) -> Sequence[Any]:
    """The page's slice, counted from the end when descending."""
    total = window.last - window.first
    first = min((question.page - 1) * question.size, total)
    last = min(first + question.size, total)
    if question.descending:
        first, last = total - last, total - first
    first, last = window.first + first, window.first + last
    if shuffle is None or first == last:
        page = window.items[first:last]
    else:
        page = _shuffled(window, first, last, values[question.order_by], shuffle)
    return page[::-1] if question.descending else page


def _shuffled(window: _Window, first: int, last: int, value_of: ValueOf, random: Random) -> list[Any]:
    """The slice as if every group of equals had been shuffled first: a page may end in the middle of one."""
    key, items = _sort_key(value_of), window.items
    start, end = first, last
    while start > window.first and key(items[start - 1]) == key(items[first]):
        start -= 1
    while end < window.last and key(items[end]) == key(items[last - 1]):
        end += 1
    mixed: list[Any] = []
    for _, group in groupby(items[start:end], key):
        ties = list(group)
        random.shuffle(ties)
        mixed += ties
    return mixed[first - start : last - start]
