"""A list kept in order of an instant, then Id: ranges by bisection, changes by one memmove."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

# Where SQL Server sorts nulls: before everything. No range with a lower bound holds them.
NULL = -(1 << 62)
END = 1 << 62


class HasId(Protocol):
    """Anything with an Id."""

    id: int


T = TypeVar("T", bound=HasId)


class SortedIndex(Generic[T]):
    """Items in order of `(second(item), Id)`, nulls first."""

    def __init__(self, second: Callable[[T], int | None], items: Iterable[T] = ()) -> None:
        self._second = second
        self.items = sorted(items, key=self.key)

    def key(self, item: T) -> tuple[int, int]:
        """What the order is by."""
        second = self._second(item)
        return (NULL if second is None else second, item.id)

    def bounds(self, low: int | None, end: int | None) -> tuple[int, int]:
        """Positions [first, last) of the items with low <= second < end. Two Nones: all of them, the nulls too."""
        if low is None and end is None:
            return 0, len(self.items)
        first = bisect_left(self.items, (NULL + 1 if low is None else low, -1), key=self.key)
        last = bisect_left(self.items, (END if end is None else end, -1), key=self.key)
        return first, max(first, last)

    def between(self, low: int | None, end: int | None) -> list[T]:
        """The items with low <= second < end, in order."""
        first, last = self.bounds(low, end)
        return self.items[first:last]

    def add(self, item: T) -> None:
        """Put an item in its place."""
        self.items.insert(bisect_left(self.items, self.key(item), key=self.key), item)

    def remove(self, item: T) -> None:
        """Take an item out; its instant must still be the one it was filed under."""
        position = bisect_left(self.items, self.key(item), key=self.key)
        if self.items[position] is not item:
            raise LookupError(f"Id {item.id} is not in the index")
        del self.items[position]
