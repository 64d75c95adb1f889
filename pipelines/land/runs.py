"""The landing stage's own record, `land.runs`: one row a run, written at its start and completed at its end."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

import duckdb

from pipelines.extract.client import NexudusClient
from pipelines.foundation.rows import insert_row
from pipelines.land.pull import Pull
from pipelines.settings import Clock, utc_now


@contextmanager
def recorded_run(pull: Pull, client: NexudusClient, kind: str, clock: Clock = utc_now) -> Iterator[None]:
    """Record what happens inside as an entity's run of `kind` (`sync`, `reconcile`), whether it ends well or not."""
    connection, report = pull.connection, pull.report
    run = {"entity": pull.entity.name, "run_id": pull.run_id, "kind": kind}
    with pull.writing_alone(connection):
        insert_row(connection, "land.runs", run | {"started_at": clock()})
    outcome = "done"
    try:
        yield
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
        raise
    finally:
        values: dict[str, object] = {
            "ended_at": clock(),
            "outcome": outcome,
            "pulled": report.pulled,
            "new_count": report.rows.new,
            "changed_count": report.rows.changed,
            "same_count": report.rows.same,
            "rejected_count": report.rows.rejected,
            "deleted_count": report.deleted_count,
            "request_count": client.request_count,
            "data_request_count": client.data_request_count,
            "fewest_data_request_count": report.fewest_request_count,
            "retry_count": client.retry_count,
            "waited_seconds": client.waited_seconds,
            "open_minutes": report.open_minutes,
        }
        assignments = ", ".join(f"{name} = ${name}" for name in values)
        # After a full disk nothing can be written, and the reason of the run's end matters more than its record.
        with suppress(duckdb.Error) if outcome != "done" else nullcontext(), pull.writing_alone(connection):
            connection.execute(
                f"""
                update land.runs set {assignments}
                where entity = $entity and run_id = $run_id and kind = $kind and ended_at is null
                """,  # noqa: S608 - names of our own
                values | run,
            )
