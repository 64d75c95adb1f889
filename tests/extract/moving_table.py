"""A model of the API's table in memory: it changes between any two questions and reads its filters as it is told."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from pipelines.extract.histories import NO_FILTERS, HistoryFilters
from pipelines.extract.records import HistoryRecord, SearchAnswer

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
FilterEnd = Literal["second", "minute", "whole minute", "exclusive"]
Order = Literal["0 ascends", "1 ascends", "always descends", "by id"]


def at(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


@dataclass
class MovingTable:
    """Rows are Id → UpdatedOn. `changes_between` says how many changes happen before each answer."""

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

    def __post_init__(self):
        # Ids are given in order of creation, and a row is updated no earlier than it is created.
        latest = datetime.max.replace(tzinfo=UTC)
        for row_id in sorted(self.rows, reverse=True):
            latest = self.created[row_id] = min(latest, self.rows[row_id])

    def search(self, filters: HistoryFilters = NO_FILTERS, *, page=1, size=None, order_by=None, direction=None):
        self.requests += 1
        self.now += timedelta(seconds=self.rng.randint(0, 2))
        for _ in range(self.changes_between):
            self.change()
        size = min(size or 25, self.largest_page)
        hits = [i for i, updated in self.rows.items() if self.holds(filters, i, updated)]
        if self.shuffles_ties:
            self.rng.shuffle(hits)
        self.sort(hits, order_by, direction)
        chosen = hits[(page - 1) * size : page * size]
        return SearchAnswer(
            records=[self.record(i) for i in chosen],
            rejected=[],
            page=page,
            page_size=size,
            total_items=len(hits),
            has_next_page=page * size < len(hits),
            answered_at=self.now,
        )

    def holds(self, filters: HistoryFilters, row_id: int, updated: datetime) -> bool:
        if filters.coworker_invoice_id is not None:
            return filters.coworker_invoice_id == row_id // 3
        end = filters.to_updated_on
        if filters.from_updated_on is not None and updated < filters.from_updated_on:
            return False
        if end is None:
            return True
        match self.filter_end:
            case "second":
                return updated <= end
            case "minute":
                return updated.replace(second=0) <= end
            case "whole minute":
                return updated < end + timedelta(minutes=1)
            case "exclusive":
                return updated < end

    def sort(self, hits: list[int], order_by: str | None, direction: int | None) -> None:
        if order_by == "Id" or self.order == "by id":
            hits.sort()
            return
        descends = {
            "0 ascends": direction != 0,
            "1 ascends": direction != 1,
            "always descends": True,
        }[self.order]
        hits.sort(key=lambda i: self.rows[i], reverse=descends)

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
        return HistoryRecord(
            id=row_id,
            coworker_invoice_id=row_id // 3,
            updated_on=self.rows[row_id],
            created_on=self.created[row_id],
        )
