"""The names of businesses in the warehouse, from the user's file or from the API. Figures never depend on them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import dagster as dg
import duckdb

from pipelines.errors import PipelineError
from pipelines.extract.businesses import HOW_TO_NAME, BusinessName, ask_for_names, read_names_file
from pipelines.extract.client import NexudusClient
from pipelines.extract.histories import HISTORIES
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings, utc_now

BUSINESS_NAMES = dg.AssetKey(["land", "business_names"])
# A role that is missing today is missing tomorrow: asking about it costs a login each time.
_ASKED_AGAIN_AFTER = timedelta(days=7)


def business_names_asset(settings: Settings, *, pool: str | None = None) -> dg.AssetsDefinition:
    """The table of names as Dagster sees it; `pool` is the one of those who write."""

    @dg.asset(
        key=BUSINESS_NAMES,
        deps=[dg.AssetKey(["land", HISTORIES.table])],
        group_name="land",
        pool=pool,
        kinds={"duckdb"},
        description="What the businesses are called, by NEXUDUS_BUSINESSES_FILE or the API. No figure depends on it.",
    )
    def business_names() -> dg.MaterializeResult[None]:
        with open_warehouse(settings) as connection:
            if settings.businesses_file:
                found = read_names_file(settings.businesses_file)
                store_names(connection, found, "file", utc_now())
                said = f"read {settings.businesses_file}"
            elif is_due(connection, utc_now()):
                found, said = _asked(settings)
                store_names(connection, found, "api", utc_now())
            else:
                said = "known already"
            named = named_count(connection)
        return dg.MaterializeResult(metadata={"named_businesses": named, "said": said})

    return business_names


def _asked(settings: Settings) -> tuple[list[BusinessName], str]:
    """Names are a courtesy: whatever the API answers, the figures are published."""
    try:
        with NexudusClient(settings) as client:
            return ask_for_names(client), "asked the API"
    except PipelineError as error:
        return [], f"{error} {HOW_TO_NAME}"


def is_due(connection: duckdb.DuckDBPyConnection, now: datetime) -> bool:
    """Whether the API should be asked: there is a business that nobody has been asked about for a week."""
    since = now - _ASKED_AGAIN_AFTER
    (unknown,) = connection.execute(
        """
        select count(*)
        from (
            select distinct coworker_invoice_business_id as business_id from land.coworker_invoice_histories
        ) as businesses
        anti join (select * from land.business_names where asked_at > ?) as names using (business_id)
        where businesses.business_id is not null
        """,
        [since],
    ).fetchall()[0]
    return bool(unknown)


def store_names(
    connection: duckdb.DuckDBPyConnection, names: Iterable[BusinessName], source: str, now: datetime
) -> int:
    """Replace the names that came from `source`; returns how many businesses of the history are named now.

    A business that the source does not name is remembered as asked for, so that it is not asked for at each run.
    """
    rows = [(name.business_id, name.business_name, name.time_zone, source, now) for name in names]
    connection.execute("begin")
    try:
        connection.execute("delete from land.business_names")
        if rows:
            connection.executemany("insert into land.business_names values (?, ?, ?, ?, ?)", rows)
        connection.execute(
            """
            insert into land.business_names (business_id, name_source, asked_at)
            select distinct coworker_invoice_business_id, ?, ?::timestamptz
            from land.coworker_invoice_histories
            where
                coworker_invoice_business_id is not null
                and coworker_invoice_business_id not in (select business_id from land.business_names)
            """,
            [source, now],
        )
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return named_count(connection)


def named_count(connection: duckdb.DuckDBPyConnection) -> int:
    """How many businesses have a name."""
    (count,) = connection.execute("select count(business_name) from land.business_names").fetchall()[0]
    return int(count)
