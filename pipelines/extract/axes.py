"""Where records lie in time: the fields that the API filters and sorts by, and what a search is narrowed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipelines.extract.records import Record
from pipelines.extract.windows import Window


@dataclass(frozen=True)
class Axis:
    """A time field of a record that the API can filter and sort by: its name on the wire and its column."""

    name: str
    column: str

    def instant(self, record: Record) -> datetime | None:
        """Where a record lies on this axis."""
        instant: datetime | None = getattr(record, self.column)
        return instant

    def placed(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records that say themselves where they lie: not those whose UpdatedOn is null, unless all of them are."""
        return (self.column == "updated_on" and [record for record in records if record.has_updated_on]) or records

    def filters(self, window: Window) -> "Filters":
        """The range filters for a window; whether the server includes the end does not matter."""
        return Filters(self, window.start, window.end)


UPDATED_ON = Axis("UpdatedOn", "updated_on")
CREATED_ON = Axis("CreatedOn", "created_on")


@dataclass(frozen=True)
class Filters:
    """What a search is narrowed to: a range of an axis, values of what records are looked up by (`keys`), or both.

    Instants are aware; None leaves an end open. Whether the API counts the end of a range in is not documented.
    """

    axis: Axis | None = None
    start: datetime | None = None
    end: datetime | None = None
    keys: tuple[int, ...] = ()


EVERYTHING = Filters()
