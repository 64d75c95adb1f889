"""The queries of dashboard and report: the files of `sql/show`, by name, run with the filters of a view."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from pipelines.foundation.sql_files import sql_folder
from pipelines.publish.snapshot import Row, Snapshot
from pipelines.show.url_filters import NO_CURRENCY, Choices, Period, View


@cache
def question(name: str) -> str:
    """The SQL of a query."""
    return (sql_folder("show") / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _macros() -> str:
    return (sql_folder("show") / "macros" / "filters.sql").read_text(encoding="utf-8")


def ask(snapshot: Snapshot, name: str, view: View | None = None, **values: Any) -> list[Row]:  # noqa: ANN401 - SQL values
    """The rows of a query for a view, with further values by name. Raises MissingTableError, DamagedFileError."""
    chosen = view.values() if view else {}
    return snapshot.rows(question(name), chosen | values, macros=_macros())


@dataclass(frozen=True)
class Frame:
    """What a page or the report is drawn from: an open release, a view of it, and the moment that counts as now."""

    snapshot: Snapshot
    choices: Choices
    view: View
    now: datetime

    def ask(self, name: str, **values: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - SQL values
        """The rows of a query for this view."""
        return ask(self.snapshot, name, self.view, **values)

    @property
    def zone(self) -> str:
        """The reporting zone."""
        return self.snapshot.about.reporting_timezone

    @property
    def data_until_date(self) -> date:
        """The last day that there is data of, whichever period is looked at."""
        return max(period.data_until_date for period in self.choices.periods)

    def business(self, business_id: int | None) -> str:
        """The name of a business; of all of them where it is None."""
        return "All businesses" if business_id is None else self.choices.businesses.get(business_id, str(business_id))


def read_choices(snapshot: Snapshot) -> Choices:
    """The filter values that a published file offers."""
    businesses = {
        row["business_id"]: f"{row['business_name']} ({row['business_id']})"
        if row["is_ambiguous"]
        else row["business_name"]
        for row in ask(snapshot, "businesses")
    }
    return Choices(
        periods=tuple(Period.of(row) for row in ask(snapshot, "periods")),
        businesses=businesses,
        currencies=tuple(row["currency_code"] or NO_CURRENCY for row in ask(snapshot, "currencies")),
        kinds=tuple(row["kind"] for row in ask(snapshot, "entry_kinds")),
        reasons=tuple(row["failure_reason"] for row in ask(snapshot, "entry_reasons")),
    )
