"""What a reconciliation would mark as gone where that is too much to believe, for a person to look at first."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.errors import BrokenPromiseError
from pipelines.extract.entity import Entity
from pipelines.land.pull import Pull


class LostRows(NamedTuple):
    """Records of a business (None where that is not known) and a month of CreatedOn (`2025-03`), UTC."""

    business_id: int | None
    month: str | None
    record_count: int


@dataclass(frozen=True)
class Loss:
    """How many of an entity's live records seem gone, and which."""

    entity: Entity
    count: int
    live_count: int
    rows: list[LostRows]


class LossRefusedError(BrokenPromiseError):
    """So much seems gone that a fault is likelier than a deletion; nothing was marked. `loss` is what it would be."""

    def __init__(self, loss: Loss) -> None:
        noun = loss.entity.noun
        what_then = (
            "nothing was marked, and where all is gone it never is."
            if loss.count >= loss.live_count
            else "nothing was marked."
        )
        super().__init__(
            f"{loss.count} of {loss.live_count} {noun} seem gone from the API, which is likelier a fault or a lost "
            f"role than a deletion; {what_then} Run `nexudus-billing doctor`, and look at the {noun} in Nexudus. If "
            "they were deleted on purpose, `nexudus-billing reconcile --accept-loss` shows what goes and accepts it."
        )
        self.loss = loss


def loss_of(pull: Pull, ids: Iterable[int], live_count: int) -> Loss:
    """What would go with these records, by business and month, largest first."""
    ids = list(ids)
    business = pull.entity.business_column or "null::bigint"
    rows = pull.connection.execute(
        f"""
        select
            {business} as business_id,
            strftime(created_on, '%Y-%m') as month,
            count(*) as lost_count
        from {pull.entity.rows}
        where id in (select unnest($ids::bigint[]))
        group by all
        order by lost_count desc, business_id, month
        """,  # noqa: S608 - names of our own
        {"ids": ids},
    ).fetchall()
    return Loss(pull.entity, len(ids), live_count, [LostRows(*row) for row in rows])
