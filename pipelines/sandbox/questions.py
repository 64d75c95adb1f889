"""A query string to a question, by the parameters that a list documents; what nobody documented is ignored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.sandbox.listing import Listing

PAGING = ("page", "size", "orderBy", "dir")


class BadQuestionError(ValueError):
    """A parameter's value cannot be read; `property_name` says whose."""

    def __init__(self, property_name: str, value: str) -> None:
        super().__init__("is not valid")
        self.property_name = property_name
        self.value = value


@dataclass(slots=True)
class Question:
    """What a search asks. Ranges are half open: low <= value < end, whatever the wire's convention was."""

    page: int = 1
    size: int = 25
    order_by: str = "Id"
    descending: bool = False
    direction: int = 0
    equal: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    ranges: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Reading:
    """How the server reads a question: the knobs that matter here."""

    range_end: str = "second"
    time_zone: str = "UTC"
    dir_convention: str = "0/1"
    max_page_size: int = 1000


def read_question(params: Mapping[str, str], reading: Reading, listing: Listing) -> Question:
    """The question that a query string puts to a list. Raises BadQuestionError."""
    direction = _integer(params, "dir", 1 if reading.dir_convention == "1/-1" else 0)
    question = Question(
        page=max(1, _integer(params, "page", 1)),
        size=min(max(1, _integer(params, "size", 25)), reading.max_page_size),
        order_by=params.get("orderBy", "Id") if params.get("orderBy", "Id") in listing.values else "Id",
        descending=direction != 1 if reading.dir_convention == "1/-1" else direction == 1,
        direction=direction,
    )
    ranges = listing.ranges
    for name, value in params.items():
        if not value:
            continue
        try:
            if name in listing.equalities:
                column = listing.equalities[name]
                question.equal[column] = _equal(listing.kinds.get(column, "text"), value, reading)
            elif name in ranges:
                end, column = ranges[name]
                low, high = question.ranges.get(column, (None, None))
                limit = _limit(listing.kinds[column], value, reading, is_end=end == "to")
                question.ranges[column] = (low, limit) if end == "to" else (limit, high)
        except (ValueError, InvalidOperation) as error:
            raise BadQuestionError(name, value) from error
    return question


def _integer(params: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(params.get(name) or default)
    except ValueError as error:
        raise BadQuestionError(name, params[name]) from error


def _instant(value: str, zone: str) -> tuple[int, int]:
    """First second that the value names, and how many: a second, a minute or a day, by what it spells out."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
    spelled_out = len(value.partition("+")[0].rstrip("Z"))
    span = 86_400 if spelled_out <= len("2025-01-31") else 60 if spelled_out <= len("2025-01-31T12:00") else 1
    return int(at.timestamp()), span


def _equal(kind: str, value: str, reading: Reading) -> tuple[Any, Any]:
    """The half-open range of values that an equality filter accepts; (value, None) where there is no range."""
    if kind == "integers":
        return tuple(int(one) for one in value.strip("[]").split(",") if one.strip()), None
    if kind == "integer":
        return int(value), None
    if kind == "decimal":
        return Decimal(value), None
    if kind == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower()), None
    if kind == "instant":
        start, span = _instant(value, reading.time_zone)
        return start, start + span
    return value.casefold(), None


def _limit(kind: str, value: str, reading: Reading, *, is_end: bool) -> int:
    """The lower limit, or the exclusive upper one, that a range filter sets."""
    if kind == "integer":
        return int(value) + is_end
    at, _ = _instant(value, reading.time_zone)
    if reading.range_end != "second":
        at -= at % 60
    return at + {"second": 1, "minute": 1, "whole_minute": 60, "exclusive": 0}[reading.range_end] * is_end
