"""What a landing step does and did, as values for the process that started it and as metadata for Dagster."""

from dataclasses import dataclass
from typing import Any

from pipelines.extract.client import NexudusClient
from pipelines.extract.entity import Entity
from pipelines.land.pull import Pull, PullReport


@dataclass(frozen=True)
class Landed:
    """A step's report, the data requests it took, and the records of its entity that the warehouse then held."""

    entity: Entity
    report: PullReport
    data_request_count: int
    row_count: int


@dataclass(frozen=True)
class Waiting:
    """A request waits for the pace, or because the API asked for it."""

    seconds: float
    reason: str

    def __str__(self) -> str:
        """For a person."""
        return f"Waiting {self.seconds:.0f} s: {self.reason}"


def landed_by(pull: Pull, client: NexudusClient) -> Landed:
    """What a pull has done, where the client was its alone."""
    ((row_count,),) = pull.connection.execute(f"select count(*) from {pull.entity.rows}").fetchall()  # noqa: S608
    return Landed(pull.entity, pull.report, client.data_request_count, row_count)


def metadata_of(client: NexudusClient, landed: Landed) -> dict[str, Any]:
    """The same for Dagster's pages."""
    report = landed.report
    return {
        "dagster/row_count": landed.row_count,
        "pulled": report.pulled or "nothing was missing",
        "rows_new": report.rows.new,
        "rows_changed": report.rows.changed,
        "rows_same": report.rows.same,
        "rows_rejected": report.rows.rejected,
        "requests": client.request_count,
        "data_requests": client.data_request_count,
        "retries": client.retry_count,
        "waited_seconds": round(client.waited_seconds, 1),
        "open_minutes": ", ".join(f"{minute:%Y-%m-%dT%H:%M}" for minute in report.open_minutes) or "none",
    }
