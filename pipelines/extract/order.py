"""What the rows received prove about the server's order: which direction ascends, and that time is what it sorts by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from operator import attrgetter, le, lt
from typing import Any

from pipelines.extract.axes import Axis
from pipelines.extract.records import Record, SearchAnswer

# Strict ascents that must have been seen, and not one descent, before a full page is taken for the beginning of its
# range: a server that ignores `orderBy` shows this many by chance once in 65,536 runs.
ENOUGH_ASCENTS = 16
DIRECTIONS = (0, 1, -1)  # documented as 0/1 and as 1/-1; the rows decide


@dataclass
class Dialect:
    """What the answers have taught about the server: which `dir` ascends, and that it sorts by time and nothing else.

    `page_size` is asked for, `honoured_size` what the newest full page held. `rivals` are other orders that have looked
    the same so far. `misses` counts the unsorted pages since the last sorted one.

    Threads that read side by side share one, without a lock. Each field but the two collections is replaced whole, and
    those only shrink or grow; a count that two threads take at once may lose one of theirs. That costs a question,
    never a row: no page is used that does not itself ascend in the direction that it was asked in.
    """

    page_size: int
    honoured_size: int = 0
    directions: tuple[int, ...] = DIRECTIONS
    ascents: int = 0
    misses: int = 0
    rivals: set[str] = field(default_factory=lambda: {"id", "created_on"})
    open_minutes: list[datetime] = field(default_factory=list)

    @property
    def direction(self) -> int:
        """The `dir` to ask with."""
        return self.directions[0]

    def saw_order(self, ascents: int) -> None:
        """A page was sorted, and went up this many times."""
        self.ascents, self.misses = self.ascents + ascents, 0

    def try_another_direction(self) -> None:
        """Take the next `dir`; what was proved of the last one says nothing about it."""
        first, *others = self.directions
        self.directions, self.ascents, self.misses = (*others, first), 0, self.misses + 1


def instants_of(axis: Axis, answer: SearchAnswer) -> list[datetime | None]:
    """Where its records lie, in the order received."""
    return list(map(attrgetter(axis.column), axis.placed(answer.records)))


def known_instants(axis: Axis, answer: SearchAnswer) -> list[datetime]:
    """The same to the second, of those that lie somewhere."""
    # To the second: a server may show fractions that it does not sort by.
    return [at.replace(microsecond=0) for at in instants_of(axis, answer) if at is not None]


def is_sorted_by(axis: Axis, answer: SearchAnswer, instants: list[datetime]) -> bool:
    """Whether the rows never go down, and the server does not say that it sorted them by something else."""
    if answer.order_field and answer.order_field.casefold() != axis.name.casefold():
        return False
    return _climbs(instants)


def ascents_in(instants: list[datetime]) -> int:
    """How often the next row is later than the one before it."""
    return sum(map(lt, instants, islice(instants, 1, None)))


def complete_until(answer: SearchAnswer, instants: list[datetime], dialect: Dialect) -> datetime:
    """The instant before which an ascending page holds all rows: that of its last row, if time is its order.

    A server that sorts by Id or by CreatedOn whatever it is asked can look the same as long as no row moved. Until a
    page has gone up in time and down in both, its last row's CreatedOn is safe: the rows behind it were created, and so
    updated, no earlier.
    """
    rule_out(answer, instants, dialect)
    return bounded(instants[-1], answer.records[-1], dialect)


def rule_out(answer: SearchAnswer, instants: list[datetime], dialect: Dialect) -> None:
    """Strike out the other orders that an answer sorted by time is not in."""
    if dialect.rivals and _climbs(instants):
        ids = [record.id for record in answer.records]
        created = [record.created_on.replace(microsecond=0) for record in answer.records if record.created_on]
        dialect.rivals -= {name for name, keys in (("id", ids), ("created_on", created)) if not _climbs(keys)}
        if created and created[0] == created[-1] and "id" not in dialect.rivals:
            # One CreatedOn for all, as after an import, orders nothing: this many ascents are no chance.
            dialect.rivals -= {"created_on"} if ascents_in(instants) >= ENOUGH_ASCENTS else set()


def bounded(instant: datetime, record: Record, dialect: Dialect) -> datetime:
    """An instant of the order by time, or the record's CreatedOn as long as that may be the order."""
    return min(instant, record.created_on) if dialect.rivals and record.created_on else instant


def _climbs(keys: Sequence[Any]) -> bool:
    return all(map(le, keys, islice(keys, 1, None)))
