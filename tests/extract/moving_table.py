"""A model of the API's table in memory: it changes between any two questions and reads its filters as it is told."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from pipelines.extract.axes import EVERYTHING, Filters
from pipelines.extract.entity import Entity
from pipelines.extract.histories import HISTORIES, HistoryRecord
from pipelines.extract.records import RejectedRecord, SearchAnswer

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
FilterEnd = Literal["second", "minute", "whole minute", "exclusive"]
Order = Literal["0 ascends", "1 ascends", "always descends", "by id", "by created", "none"]


def at(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


@dataclass
class MovingTable:
    """Rows are Id → UpdatedOn, three to an invoice. `changes_between` says how many changes happen before each answer.

    `halves_sizes`: at times a page is half as large as asked for. `shows_null`: rows that never changed show no
    UpdatedOn, and the filter takes their CreatedOn. `claims_all_rate`: how often a page says that it is the last and
    counts what it holds; `empty_rate`: how often an answer to a range holds and counts nothing. `unreadable_every`: of
    how many rows one cannot be read, not even its Id. `lag_seconds`: how far every other server is behind.
    `date_skew_seconds`: how far each server's `Date` may be off.
    """

    rows: dict[int, datetime]
    now: datetime
    rng: random.Random
    filter_end: FilterEnd = "second"
    order: Order = "0 ascends"
    largest_page: int = 10_000
    shuffles_ties: bool = True
    changes_between: int = 0
    requests: int = 0
    next_id: int = 0
    deleted: set[int] = field(default_factory=set)
    created: dict[int, datetime] = field(default_factory=dict)
    paid: dict[int, datetime] = field(default_factory=dict)
    halves_sizes: bool = False
    shows_null: bool = False
    claims_all_rate: float = 0.0
    empty_rate: float = 0.0
    unreadable_every: int = 0
    lag_seconds: int = 0
    date_skew_seconds: int = 0
    states: list[tuple[datetime, dict[int, datetime], dict[int, datetime]]] = field(default_factory=list)
    entity: Entity = HISTORIES

    def __post_init__(self):
        # Ids are given in order of creation, and a row is updated no earlier than it is created.
        latest = datetime.max.replace(tzinfo=UTC)
        for row_id in sorted(self.rows, reverse=True):
            latest = self.created[row_id] = min(latest, self.rows[row_id])

    def search(self, filters: Filters = EVERYTHING, *, page=1, size=None, order_by=None, direction=None):
        self.requests += 1
        self.now += timedelta(seconds=self.rng.randint(0, 2))
        for _ in range(self.changes_between):
            self.change()
        now_there = self.rows, self.created
        if self.lag_seconds:
            self.states.append((self.now, dict(self.rows), dict(self.created)))
            if self.rng.random() < 0.5:
                behind = self.now - timedelta(seconds=self.lag_seconds)
                self.rows, self.created = next((state[1:] for state in self.states if state[0] >= behind), now_there)
        try:
            return self.answer(filters, page, size, order_by, direction)
        finally:
            self.rows, self.created = now_there

    def answer(self, filters, page, size, order_by, direction):
        size = min(size or 25, self.largest_page)
        if self.halves_sizes and self.rng.random() < 0.2:
            size = max(1, size // 2)
        hits = [row_id for row_id in self.rows if self.holds(filters, row_id)]
        if self.shuffles_ties:
            self.rng.shuffle(hits)
        self.sort(hits, order_by, direction)
        if filters.axis and self.rng.random() < self.empty_rate:
            hits = []
        chosen = hits[(page - 1) * size : page * size]
        if self.rng.random() < self.claims_all_rate:
            hits = hits[: page * size]
        unreadable = [i for i in chosen if self.unreadable_every and i % self.unreadable_every == 0]
        return SearchAnswer(
            records=[self.record(i) for i in chosen if i not in unreadable],
            rejected=[RejectedRecord(f"{i} {self.rows[i]}".encode(), "broken", None) for i in unreadable],
            page=page,
            page_size=size,
            total_items=len(hits),
            has_next_page=page * size < len(hits),
            answered_at=self.now + timedelta(seconds=self.rng.choice([0, 1, -1]) * self.date_skew_seconds),
        )

    def holds(self, filters: Filters, row_id: int) -> bool:
        if filters.keys:
            return row_id // 3 in filters.keys
        return filters.axis is None or self.is_within(
            self.value(row_id, filters.axis.column), filters.start, filters.end
        )

    def value(self, row_id: int, axis: str) -> datetime | None:
        """Where a row lies on an axis."""
        match axis.removeprefix("coworker_invoice_"):
            case "updated_on":
                return self.rows[row_id]
            case "created_on":
                return self.created[row_id]
            case "paid_on":
                return self.paid.get(row_id // 3)
        return None

    def is_within(self, value: datetime | None, start: datetime | None, end: datetime | None) -> bool:
        if start is None or end is None:
            return True
        if value is None or value < start:
            return False
        match self.filter_end:
            case "second":
                return value <= end
            case "minute":
                return value.replace(second=0) <= end
            case "whole minute":
                return value < end + timedelta(minutes=1)
            case "exclusive":
                return value < end

    def sort(self, hits: list[int], order_by: str | None, direction: int | None) -> None:
        if order_by == "Id" or self.order == "by id":
            hits.sort()
            return
        if self.order == "none":
            self.rng.shuffle(hits)
            return
        descends = {"0 ascends": direction != 0, "1 ascends": direction != 1, "always descends": True}
        axis = {"CreatedOn": "created_on", "CoworkerInvoicePaidOn": "coworker_invoice_paid_on"}
        column = "created_on" if self.order == "by created" else axis.get(order_by or "", "updated_on")
        hits.sort(key=lambda i: self.value(i, column) or EPOCH, reverse=descends.get(self.order, False))

    def change(self) -> None:
        what = self.rng.choice(["update", "update", "delete", "insert"])
        row_id = self.rng.choice(list(self.rows)) if self.rows else None
        if what == "insert" or row_id is None:
            self.next_id += 1
            self.rows[1_000_000 + self.next_id] = self.created[1_000_000 + self.next_id] = self.now.replace(
                microsecond=0
            )
        elif what == "update":
            self.rows[row_id] = self.now.replace(microsecond=0)
        else:
            del self.rows[row_id]
            self.deleted.add(row_id)

    def record(self, row_id: int) -> HistoryRecord:
        updated, paid = self.rows[row_id], self.paid.get(row_id // 3)
        return HistoryRecord(
            id=row_id,
            coworker_invoice_id=row_id // 3,
            updated_on=updated,
            has_updated_on=not (self.shows_null and updated == self.created[row_id]),
            created_on=self.created[row_id],
            coworker_invoice_paid=paid is not None,
            coworker_invoice_paid_on=paid,
            raw=f'{{"Id": {row_id}, "UpdatedOn": "{updated}", "PaidOn": "{paid}"}}'.encode(),
        )
