"""Landed rows of invoices whose collection fails, and a sync without Dagster, which takes a second less."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb

from pipelines.extract.client import NexudusClient
from pipelines.extract.entity import Entity
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.invoices import INVOICES
from pipelines.foundation.sql_files import sql_folder
from pipelines.foundation.transactions import transaction
from pipelines.land.merge import Page, land_pages
from pipelines.land.warehouse import open_warehouse
from pipelines.model.building import build_all
from pipelines.model.sql_models import models_behind, tables_read
from pipelines.settings import Settings

START = datetime(2025, 3, 1, 12, tzinfo=UTC)
NO_FUNDS = "FAILED: Insufficient funds."
_ESCALATIONS = sql_folder("record") / "escalations.sql"
IN_FLIGHT = "AWAITING: Waiting for the money to clear from the customer's account."


def land(connection: duckdb.DuckDBPyConnection, invoice: int, *texts: str | tuple[str, str], **facts: object) -> None:
    """An invoice with one entry a day from START on; a text alone is a payment result."""
    usual = {
        "coworker_invoice_id": invoice,
        "coworker_invoice_business_id": 7,
        "coworker_invoice_business_currency_code": "GBP",
        "coworker_invoice_total_amount": 120,
        "coworker_invoice_invoice_number": f"INV-{invoice}",
        "coworker_invoice_paid": False,
        "coworker_invoice_refunded": False,
        "coworker_invoice_draft": False,
    }
    for day, text in enumerate(texts):
        name, description = ("Payment Result", text) if isinstance(text, str) else text
        at = START + timedelta(days=day)
        row = usual | facts | {"id": invoice * 100 + day, "name": name, "description": description}
        row |= {"is_problem": text == NO_FUNDS, "created_on": at, "updated_on": at, "seen_at": at}
        columns = ", ".join(row)
        marks = ", ".join(f"${name}" for name in row)
        connection.execute(f"insert into land.coworker_invoice_histories ({columns}) values ({marks})", row)


def close_until(connection: duckdb.DuckDBPyConnection, moment: datetime, entity: Entity = HISTORIES) -> None:
    """The ledger says that UpdatedOn has been read up to here."""
    connection.execute(
        "insert into land.windows (entity, axis, from_at, to_at) values ($entity, 'UpdatedOn', $a, $b)",
        {"entity": entity.name, "a": START, "b": moment},
    )


def sync(settings: Settings, *names: str, invoices: bool = True) -> None:
    """Land all that the API has, or its entries alone; build the models of these names, and what escalations read."""
    with NexudusClient(settings) as client, open_warehouse(settings) as connection:
        with transaction(connection):
            for entity in (HISTORIES, INVOICES) if invoices else (HISTORIES,):
                for answer in _all(EntitySource(client, settings, entity)):
                    land_pages(connection, entity, [Page(answer.records, answer.rejected, answer.answered_at)])
                close_until(connection, client.server_now(HISTORIES.path), entity)
        build_models(connection, *names)


def build_models(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """The models of these names, and what `sql/record/escalations.sql` reads, without their data tests."""
    wanted = {*tables_read(_ESCALATIONS.read_text(encoding="utf-8"))[0], *(f"model.{name}" for name in names)}
    build_all(connection, models=[replace(model, tests=()) for model in models_behind(wanted)])


def _all(histories: EntitySource) -> Iterator:
    page = 1
    while True:
        answer = histories.search(page=page, order_by="Id")
        yield answer
        if not answer.has_next_page:
            return
        page += 1
