"""Where records lie in time: the fields that the API filters and sorts by, and whatever answers a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pipelines.extract.histories import HistoryFilters
from pipelines.extract.records import HistoryRecord, SearchAnswer
from pipelines.extract.windows import Window


class Source(Protocol):
    """Whatever answers a search as the API does."""

    def search(
        self,
        filters: HistoryFilters = ...,
        *,
        page: int = ...,
        size: int | None = ...,
        order_by: str | None = ...,
        direction: int | None = ...,
    ) -> SearchAnswer:
        """One answer of the search endpoint."""
        ...


@dataclass(frozen=True)
class Axis:
    """A time field of the record that the API can filter and sort by."""

    name: str
    column: str

    def instant(self, record: HistoryRecord) -> datetime | None:
        """Where a record lies on this axis."""
        instant: datetime | None = getattr(record, self.column)
        return instant

    def placed(self, records: Sequence[HistoryRecord]) -> Sequence[HistoryRecord]:
        """The records that say themselves where they lie: not those whose UpdatedOn is null, unless all of them are."""
        return (self.column == "updated_on" and [record for record in records if record.has_updated_on]) or records

    def filters(self, window: Window) -> HistoryFilters:
        """The range filters for a window; whether the server includes the end does not matter."""
        bounds: dict[str, Any] = {f"from_{self.column}": window.start, f"to_{self.column}": window.end}
        return HistoryFilters(**bounds)


UPDATED_ON = Axis("UpdatedOn", "updated_on")
CREATED_ON = Axis("CreatedOn", "created_on")
PAID_ON = Axis("CoworkerInvoicePaidOn", "coworker_invoice_paid_on")
REFUNDED_ON = Axis("CoworkerInvoiceRefundedOn", "coworker_invoice_refunded_on")
