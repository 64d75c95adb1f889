"""One list of the API: what its records can be filtered and ordered by, under which names, and where the rows are."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.sorted_index import SortedIndex


@dataclass(frozen=True)
class Listing:
    """What a list's questions may say.

    `values` is what a field is worth to a filter or an order: integers, casefolded text, booleans, seconds, Decimals;
    `kinds` is integer, integers (`[1,2,3]`), decimal, boolean or instant, and text where a field is not in it.
    `equalities` is parameter → field. Ranges are of `range_fields`: `from_` or `to_`, the entity's name, and the field.
    """

    name: str
    path: str
    values: Mapping[str, Callable[[Any], Any]]
    kinds: Mapping[str, str]
    equalities: Mapping[str, str]
    range_fields: tuple[str, ...]

    @property
    def ranges(self) -> dict[str, tuple[str, str]]:
        """Parameter → which end, and the field."""
        return {f"{end}_{self.name}_{name}": (end, name) for name in self.range_fields for end in ("from", "to")}


@dataclass(frozen=True)
class Table:
    """A list and its live rows.

    `indexes` are by field, one of them by Id. Of other fields `by_value` finds the rows with a value, `by_range` those
    from a low to an exclusive end. `encode` writes the `Records` array. All under `lock`.
    """

    listing: Listing
    lock: threading.RLock
    indexes: Mapping[str, SortedIndex[Any]]
    encode: Callable[[Sequence[Any], Knobs], bytes]
    by_value: Mapping[str, Callable[[Any], Sequence[Any]]] = field(default_factory=dict)
    by_range: Mapping[str, Callable[[Any, Any], Sequence[Any]]] = field(default_factory=dict)
