"""Whether anything that the figures are made from has changed: if not, building them again would change nothing.

What counts: the landed records by their content, which observation of an invoice is its newest, names, what was
recorded, the days that the data covers, the settings, and every line of SQL and Python that makes or publishes a
figure. What does not: when a record was last seen, and the records of runs.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.entity import Entity
from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import Window, gaps
from pipelines.foundation.sql_files import sql_folder
from pipelines.land.entity_tables import ENTITIES, for_entity
from pipelines.land.ledger import closed_windows
from pipelines.settings import Settings

TABLE = "model.inputs"
_PACKAGE = Path(__file__).parents[1]
_SUFFIXES = {".sql", ".csv", ".py", ".css"}
_EVER = datetime.min.replace(tzinfo=UTC)
# A sum over the rows' hashes: it does not depend on their order, and finds a row that is there twice.
_ROWS = "select count(*), sum(hash(id, content_hash, deleted_at)::hugeint) from land.entity_rows"
_OTHERS = (
    # Later observations of an invoice win, so their order counts where their moments do not.
    """
    select sum(hash(id, coworker_invoice_id, place)::hugeint)
    from (
        select
            id,
            coworker_invoice_id,
            row_number() over (partition by coworker_invoice_id order by seen_at, updated_on, id) as place,
        from land.coworker_invoice_histories
        where coworker_invoice_id is not null
    ) as observations
    """,
    "select count(*) from land.rejected_records",
    "select count(*), sum(hash(names)::hugeint) from (select * exclude (asked_at) from land.business_names) as names",
    "select count(*), sum(hash(entries)::hugeint) from record.outbox as entries",
    "select version()",
)
_MOVED_PAST = """
select count(*)
from model.reporting_periods as periods
cross join (
    select
        last_complete_date,
        reporting_timezone,
        ($as_of_at::timestamptz at time zone reporting_timezone) - (as_of_at at time zone reporting_timezone) as passed,
    from model.horizon
) as horizon
cross join lateral (
    select
        coalesce(
            periods.previous_until_at at time zone horizon.reporting_timezone,
            (periods.previous_end_date + 1)::timestamp
        ) as until_local
) as compared
inner join (
    select created_at from model.history_entries where kind like 'payment_%'
) as payments on
    payments.created_at at time zone horizon.reporting_timezone >= compared.until_local
    and payments.created_at at time zone horizon.reporting_timezone < compared.until_local + horizon.passed
where periods.period_end_date > horizon.last_complete_date
"""
# Whose change can change a figure or how it is published.
_CODE = ("model", "publish", "show")
_SQL = ("model", "checks", "publish", "rules", "show")


@dataclass(frozen=True)
class Unchanged:
    """Nothing was built or published, for the published file is made from what is there now."""


def inputs_version(connection: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """A checksum of all that the figures are made from, as it is now in the warehouse and in the program."""
    queries = [*(for_entity(_ROWS, entity) for entity in ENTITIES), *_OTHERS]
    parts = [
        _code_version(),
        repr(settings),
        *(_days(connection, entity, settings) for entity in ENTITIES),
        *(repr(connection.execute(query).fetchall()) for query in queries),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def remember_inputs(connection: duckdb.DuckDBPyConnection, version: str, run_id: str) -> None:
    """Keep what the run builds the figures from, so that publishing knows it."""
    connection.execute("create schema if not exists model")
    statement = f"create or replace table {TABLE} as select $version as version, $run_id as run_id"
    connection.execute(statement, {"version": version, "run_id": run_id})


def inputs_of_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> str | None:
    """What this run has built the figures from; None where another run, or none, has begun to."""
    return _kept(connection, "run_id = $run_id", {"run_id": run_id})


def are_built_from(connection: duckdb.DuckDBPyConnection, version: str) -> bool:
    """Whether the figures in the warehouse were begun to be built from just these inputs, and from none since.

    A period in progress is compared with as much of the one before as has passed of it, to the minute: the figures
    stay only where no payment lies between that moment then and that moment now.
    """
    if _kept(connection, "true", {}) != version:
        return False
    closed = closed_windows(connection, HISTORIES, UPDATED_ON)
    if not closed:
        return True
    try:
        ((moved_past,),) = connection.execute(_MOVED_PAST, {"as_of_at": closed[-1].end}).fetchall()
    except duckdb.CatalogException:  # what was begun did not get that far
        return False
    return not moved_past


def _kept(connection: duckdb.DuckDBPyConnection, condition: str, values: dict[str, str]) -> str | None:
    try:
        found = connection.execute(f"select version from {TABLE} where {condition}", values).fetchall()  # noqa: S608
    except duckdb.CatalogException:
        return None
    return str(found[0][0]) if found else None


def _days(connection: duckdb.DuckDBPyConnection, entity: Entity, settings: Settings) -> str:
    """The day up to which the data goes, in the reporting zone, and where it begins and has gaps."""
    closed = closed_windows(connection, entity, UPDATED_ON)
    if not closed:
        return "no day"
    newest = closed[-1].end.astimezone(ZoneInfo(settings.reporting_timezone)).date()
    return f"{newest} {gaps([Window(_EVER, closed[-1].end)], closed)}"


def _code_version() -> str:
    folders = [*(sql_folder(stage) for stage in _SQL), *(_PACKAGE / stage for stage in _CODE)]
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(file for file in folder.rglob("*") if file.suffix in _SUFFIXES):
            digest.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return digest.hexdigest()
