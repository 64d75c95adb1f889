"""What there is to know of a kind of record: one description that reading, landing and comparing go by.

Belongs here: the terms of a description, and how a question is put in an entity's own parameter names. Does not: any
one entity; each has a module of its own (`histories`), and to land another one takes no more than its description.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from pipelines.extract.axes import CREATED_ON, UPDATED_ON, Axis, Filters
from pipelines.extract.records import Contract, Record, SearchAnswer

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Lookup:
    """How records are found whatever their time: by a whole-number column, under the API's name for that filter.

    `most_keys` is how many values one request may name; more than one are sent as `[1,2,3]`.
    """

    column: str
    parameter: str
    most_keys: int = 1


@dataclass(frozen=True)
class Entity:
    """A kind of record of the API, and where it lands.

    `name` is the API's: its range filters and its roles begin with it. `noun` is the plural that a person knows the
    records by. `table` and `versions_table` are of the schema `land`. `further_axes` are time fields besides UpdatedOn
    and CreatedOn that the API can filter by; a change of one need not move UpdatedOn. `business_column` holds the Id of
    the business, if there is one, `person_column` that of the customer, `people_columns` the names of those whom a
    record is about, last the address of who changed it; `text_columns` title and text; `free_columns` what else may be
    about somebody.
    """

    name: str
    noun: str
    path: str
    contract: Contract
    table: str
    versions_table: str
    lookup: Lookup
    further_axes: tuple[Axis, ...] = ()
    business_column: str = ""
    person_column: str = ""
    people_columns: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    free_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Names become part of SQL statements. Raises ValueError for what is no name, or names no column."""
        columns = [self.lookup.column, *(axis.column for axis in self.axes)]
        columns += [name for name in (self.business_column, self.person_column) if name]
        columns += [*self.personal_columns, *self.text_columns]
        if missing := [name for name in columns if name not in self.contract.columns]:
            raise ValueError(f"{self.name} has no column {', '.join(missing)}")
        names = (self.table, self.versions_table, *self.contract.columns)
        if odd := [name for name in names if not name.isidentifier()]:
            raise ValueError(f"{', '.join(odd)} cannot be the name of a table or column of {self.name}")

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Every time field that the API can filter by, UpdatedOn first."""
        return (UPDATED_ON, CREATED_ON, *self.further_axes)

    @property
    def rows(self) -> str:
        """The table of its records as SQL names it."""
        return f"land.{self.table}"

    @property
    def versions(self) -> str:
        """The table of the raw JSON of each content of a record."""
        return f"land.{self.versions_table}"

    @property
    def personal_columns(self) -> tuple[str, ...]:
        """The columns that erasing a person empties; of title and text something stays."""
        return (*self.people_columns, *self.free_columns)

    @property
    def list_role(self) -> str:
        """The role that reading the list takes."""
        return f"{self.name}-List"

    def key(self, record: Record) -> int:
        """What a record is looked up by."""
        key: int = getattr(record, self.lookup.column)
        return key

    def parameters(self, filters: Filters, zone: ZoneInfo) -> dict[str, str]:
        """The query parameters of filters; instants to the minute in the zone that the API reads them in."""
        parameters = {}
        if filters.keys:
            keys = ",".join(map(str, filters.keys))
            parameters[self.lookup.parameter] = keys if self.lookup.most_keys == 1 else f"[{keys}]"
        if filters.axis is not None:
            for end, instant in (("from", filters.start), ("to", filters.end)):
                if instant is not None:
                    parameters[self.range_parameter(end, filters.axis)] = _minute(instant, zone, is_end=end == "to")
        return parameters

    def range_parameter(self, end: str, axis: Axis) -> str:
        """The name of the filter `from` or `to` on an axis. One that is misspelt the API ignores, with 200."""
        return f"{end}_{self.name}_{axis.name}"


class Source(Protocol):
    """Whatever answers a search of an entity as the API does."""

    @property
    def entity(self) -> Entity:
        """Whose records it answers with."""
        ...

    def search(
        self,
        filters: Filters = ...,
        *,
        page: int = ...,
        size: int | None = ...,
        order_by: str | None = ...,
        direction: int | None = ...,
    ) -> SearchAnswer:
        """One answer of the search endpoint."""
        ...


def _minute(instant: datetime, zone: ZoneInfo, *, is_end: bool) -> str:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    minute = instant.astimezone(UTC).replace(second=0, microsecond=0)
    if is_end and minute < instant:
        minute += _MINUTE  # the format has no seconds: rather a row too many than one too few
    return minute.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
