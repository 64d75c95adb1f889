"""The seam: rows known to lie at the beginning of a range must come back, or the filter leaves rows out."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pipelines.errors import BrokenPromiseError
from pipelines.extract.axes import EVERYTHING, Axis, Filters
from pipelines.extract.entity import Entity, Source
from pipelines.extract.order import Dialect
from pipelines.extract.records import SearchAnswer

SEAM_ROWS = 5


class KnownRow(NamedTuple):
    """A row known to lie at an instant: it must come back when its minute is asked for again. `key` looks it up."""

    id: int
    key: int
    instant: datetime


class ShiftedFilterError(BrokenPromiseError):
    """The filter's values are read in another time zone: whatever was closed on its word may lack rows."""


class SeamError(ShiftedFilterError):
    """Rows known to lie in a range, and still there, did not come back: the filter leaves rows out."""


class NothingThereError(BrokenPromiseError):
    """Entries are known, and the API shows none at all: a role or the account was lost rather than every entry."""


def check_seam(source: Source, axis: Axis, seam: Sequence[KnownRow], answer: SearchAnswer, dialect: Dialect) -> None:
    """A filter read in a zone ahead leaves hours out without one row outside the range; known rows betray it."""
    if not seam or not answer.ids.isdisjoint(row.id for row in seam):
        return
    is_any_left = answer.record_count > 0
    for row in seam[:SEAM_ROWS]:
        found = source.search(Filters(keys=(row.key,)), size=dialect.page_size)
        is_any_left = is_any_left or found.record_count > 0
        if any(record.id == row.id and axis.instant(record) == row.instant for record in axis.placed(found.records)):
            raise SeamError(
                f"{source.entity.name} {row.id} lies at {row.instant:%Y-%m-%dT%H:%M:%SZ} of {axis.name}, and the range "
                "filter left it out: run `nexudus-billing doctor` and set NEXUDUS_FILTER_TIMEZONE. Nothing of this run "
                "was closed."
            )
    if not is_any_left and source.search(EVERYTHING, size=1).total_items == 0:
        raise NothingThereError(
            f"{source.entity.noun.capitalize()} are known, and the API shows none at all any more, which is likelier a "
            "lost role than their deletion; nothing was closed. Run `nexudus-billing doctor`, and look at them in "
            "Nexudus."
        )


def seam_at(entity: Entity, axis: Axis, answer: SearchAnswer, minute: datetime) -> tuple[KnownRow, ...]:
    """The rows of the answer from a minute on."""
    return tuple(
        KnownRow(record.id, entity.key(record), at)
        for record in answer.records
        if (at := axis.instant(record)) is not None and at >= minute
    )
