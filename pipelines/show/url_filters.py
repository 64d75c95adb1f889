"""A view and its address: the chosen filters, read from and written to the query of a URL. Pure.

A view is kept in the address only, so that the address can be sent to a colleague.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from pipelines.publish.snapshot import Row
from pipelines.show import readable_values

NO_CURRENCY = "none"
Query = Mapping[str, Sequence[str]]
_LARGEST_ID = 2**63 - 1
_LONGEST_TEXT = 200
_ENOUGH_OF_A_MONTH = timedelta(days=2)  # after its first day; what went wrong on the 31st is not gone on the 1st


@dataclass(frozen=True)
class Period:
    """A period that has published figures, and the period it is compared with."""

    code: str
    kind: str
    start_date: date
    end_date: date
    data_until_date: date
    previous_start_date: date
    previous_end_date: date
    is_complete: bool
    has_previous: bool

    @classmethod
    def of(cls, row: Row) -> "Period":
        """From a row of `reporting_periods`."""
        return cls(**{name.removeprefix("period_"): value for name, value in row.items()})

    @property
    def label(self) -> str:
        """Its name."""
        name = readable_values.period(self.code, self.kind, self.start_date, self.end_date)
        return name if self.is_complete else f"{name} (so far)"

    @property
    def previous_label(self) -> str:
        """Name of the period before: its days, unless it is a whole month."""
        if self.kind == "month" and self.is_complete:
            return readable_values.month(self.previous_start_date)
        return f"{readable_values.day(self.previous_start_date)} to {readable_values.day(self.previous_end_date)}"


@dataclass(frozen=True)
class Choices:
    """The filter values that a published file offers."""

    periods: tuple[Period, ...]
    businesses: Mapping[int, str]
    currencies: tuple[str, ...]
    kinds: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def default_period(self) -> Period:
        """The running month once there are three days of it, else the month before; without any, the newest period."""
        begun = [
            period
            for period in self.periods
            if period.kind == "month" and period.data_until_date >= period.start_date + _ENOUGH_OF_A_MONTH
        ]
        return begun[0] if begun else self.periods[0]

    @property
    def whole_month(self) -> Period:
        """The newest month that is over; the default period where none is."""
        whole = [period for period in self.periods if period.kind == "month" and period.is_complete]
        return whole[0] if whole else self.default_period


@dataclass(frozen=True)
class View:
    """What a page shows: a period and filters, where empty means all; then what only the page Entries uses."""

    period: Period
    businesses: tuple[int, ...] = ()
    currencies: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    invoice: int | None = None
    entry: int | None = None
    day_date: date | None = None
    counted: bool = False
    text: str = ""
    is_default_period: bool = field(default=False, compare=False)

    def values(self) -> dict[str, Any]:
        """The filters by the names that the SQL uses."""
        return {
            "period": self.period.code,
            "from": self.day_date or self.period.start_date,
            "until": self.day_date or self.period.end_date,
            "businesses": list(self.businesses),
            "currencies": list(self.currencies),
            "kinds": list(self.kinds),
            "reasons": list(self.reasons),
            "invoice": self.invoice,
            "counted": self.counted,
            "text": self.text or None,
        }

    def query(self) -> dict[str, list[str]]:
        """The view as the parameters of its address."""
        several = {
            "business": [str(one) for one in self.businesses],
            "currency": list(self.currencies),
            "kind": list(self.kinds),
            "reason": list(self.reasons),
        }
        single = {
            "period": None if self.is_default_period else self.period.code,
            "invoice": self.invoice,
            "entry": self.entry,
            "day": self.day_date,
            "counted": "yes" if self.counted else None,
            "text": self.text or None,
        }
        return {name: [str(value)] for name, value in single.items() if value is not None} | {
            name: values for name, values in several.items() if values
        }

    def shared_query(self) -> dict[str, list[str]]:
        """The filters that all pages share, for links between pages."""
        return replace(self, reasons=(), invoice=None, entry=None, day_date=None, counted=False, text="").query()

    def address(self, page: str, **changes: Any) -> str:  # noqa: ANN401 - fields of the view
        """The address of a page, with parts of the view changed."""
        return "/?" + urlencode({"view": page} | replace(self, **changes).query(), doseq=True)

    def address_of_invoice(self, invoice_id: int) -> str:
        """The address of all entries of an invoice."""
        whole = {"entry": None, "kinds": (), "reasons": (), "counted": False, "text": ""}
        return self.address("entries", invoice=invoice_id, **whole)


def read_view(query: Query, choices: Choices) -> tuple[View, list[str]]:
    """The view that an address asks for, and a sentence for each value in it that does not exist."""
    said: list[str] = []

    def unknown(name: str, value: str) -> None:
        said.append(f"There is no {name} “{value}” in this file; the filter was ignored.")

    periods = {period.code: period for period in choices.periods}
    asked = _last(query, "period")
    if asked and asked not in periods:
        said.append(f"There is no period “{asked}” in this file; showing {choices.default_period.label}.")
    period = periods.get(asked or "", choices.default_period)
    names = {str(one): one for one in choices.businesses}
    return View(
        period=period,
        is_default_period=period == choices.default_period,
        businesses=tuple(names[one] for one in _known(query, "business", names, unknown)),
        currencies=tuple(_known(query, "currency", choices.currencies, unknown)),
        kinds=tuple(_known(query, "kind", choices.kinds, unknown)),
        reasons=tuple(_known(query, "reason", choices.reasons, unknown)),
        invoice=_whole(query, "invoice", unknown),
        entry=_whole(query, "entry", unknown),
        day_date=_day(query, unknown),
        counted=_last(query, "counted") == "yes",
        text=(_last(query, "text") or "").strip()[:_LONGEST_TEXT],
    ), said


def _known(query: Query, name: str, there: Iterable[str], unknown: Any) -> list[str]:  # noqa: ANN401 - a callback
    known = set(there)
    asked = list(dict.fromkeys(query.get(name, ())))
    for value in asked:
        if value not in known:
            unknown(name, value)
    return [value for value in asked if value in known]


def _whole(query: Query, name: str, unknown: Any) -> int | None:  # noqa: ANN401 - a callback
    value = _last(query, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal()) or int(value) > _LARGEST_ID:
        unknown(name, value)
        return None
    return int(value)


def _day(query: Query, unknown: Any) -> date | None:  # noqa: ANN401 - a callback
    value = _last(query, "day")
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        unknown("day", value or "")
        return None


def _last(query: Query, name: str) -> str | None:
    values = query.get(name, ())
    return values[-1] if values else None
