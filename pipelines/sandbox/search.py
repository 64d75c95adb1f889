"""A question to the rows that answer it, at one instant. By an index where there is one, else by looking at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random
from typing import Any

from pipelines.sandbox.entities import Entry
from pipelines.sandbox.questions import VALUES, Question
from pipelines.sandbox.store import Store


@dataclass(slots=True)
class Found:
    """One page of rows, and how many there are in all."""

    entries: Sequence[Entry]
    total: int


def search(
    store: Store, question: Question, *, shuffle: Random | None = None, unordered: Random | None = None
) -> Found:
    """The page that the question asks for. `shuffle` reorders ties; `unordered` gives up any order."""
    with store.lock:
        window = _window(store, question)
        checks = _checks(question, window.met)
        if checks or unordered is not None or window.order != question.order_by:
            rows = [entry for entry in window.rows() if all(check(entry) for check in checks)]
            if unordered is not None:
                unordered.shuffle(rows)
            elif window.order != question.order_by:
                # By Id first: equals then have an order, though only the index promises one.
                rows.sort(key=lambda entry: entry.id)
                if question.order_by != "Id":
                    rows.sort(key=_sort_key(question.order_by))
            window = _Window(rows, 0, len(rows), question.order_by)
        return Found(_page(window, question, shuffle), window.last - window.first)


@dataclass(slots=True)
class _Window:
    """Rows [first, last) of a list, uncopied: a wide range over a large index costs nothing."""

    items: list[Entry]
    first: int
    last: int
    order: str
    met: str = ""

    def rows(self) -> list[Entry]:
        return self.items[self.first : self.last]


def _window(store: Store, question: Question) -> _Window:
    """Rows by the most selective index, what they are in order of, and the filter that is thereby met."""
    if "CoworkerInvoiceId" in question.equal:
        invoice = store.invoices.get(question.equal["CoworkerInvoiceId"][0])
        rows = invoice.entries if invoice else []
        return _Window(rows, 0, len(rows), "", "=CoworkerInvoiceId")
    indexes = {"UpdatedOn": store.by_updated_on, "CreatedOn": store.by_created_on, "Id": store.by_id}
    for column, index in indexes.items():
        if column in question.ranges:
            return _Window(index.items, *index.bounds(*question.ranges[column]), column, column)
    for column, invoices in (
        ("CoworkerInvoicePaidOn", store.by_paid_on),
        ("CoworkerInvoiceRefundedOn", store.by_refunded_on),
    ):
        if column in question.ranges:
            rows = [entry for one in invoices.between(*question.ranges[column]) for entry in one.entries]
            return _Window(rows, 0, len(rows), column, column)
    order = question.order_by if question.order_by in indexes else "Id"
    return _Window(indexes[order].items, 0, len(store), order)


def _checks(question: Question, met: str) -> list[Callable[[Entry], bool]]:
    checks = [_equals(VALUES[column], *wanted) for column, wanted in question.equal.items() if f"={column}" != met]
    checks += [_within(VALUES[column], *limits) for column, limits in question.ranges.items() if column != met]
    return checks


def _equals(value_of: Callable[[Entry], Any], wanted: Any, end: Any) -> Callable[[Entry], bool]:  # noqa: ANN401 - of the field's type
    if end is None:
        return lambda entry: value_of(entry) == wanted
    return _within(value_of, wanted, end)


def _within(value_of: Callable[[Entry], Any], low: Any, end: Any) -> Callable[[Entry], bool]:  # noqa: ANN401 - of the field's type
    def check(entry: Entry) -> bool:
        value = value_of(entry)
        return value is not None and (low is None or low <= value) and (end is None or value < end)

    return check


def _sort_key(column: str) -> Callable[[Entry], tuple[bool, Any]]:
    value_of = VALUES[column]

    def key(entry: Entry) -> tuple[bool, Any]:
        value = value_of(entry)
        return (value is not None, value)

    return key


def _page(window: _Window, question: Question, shuffle: Random | None) -> Sequence[Entry]:
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
        page = _shuffled(window, first, last, question.order_by, shuffle)
    return page[::-1] if question.descending else page


def _shuffled(window: _Window, first: int, last: int, column: str, random: Random) -> list[Entry]:
    """The slice as if every group of equals had been shuffled first: a page may end in the middle of one."""
    key, items = _sort_key(column), window.items
    start, end = first, last
    while start > window.first and key(items[start - 1]) == key(items[first]):
        start -= 1
    while end < window.last and key(items[end]) == key(items[last - 1]):
        end += 1
    mixed: list[Entry] = []
    for _, group in groupby(items[start:end], key):
        ties = list(group)
        random.shuffle(ties)
        mixed += ties
    return mixed[first - start : last - start]
