"""Given rows in, expected rows out: what the tests of the models share."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl

from pipelines.foundation.frames import readable
from pipelines.model import sql_models
from pipelines.model.building import BuiltModel, build_all
from pipelines.model.sql_models import SqlModel, load_models

START = datetime(2025, 3, 3, 9, tzinfo=UTC)
RESULT = "Payment Result"
SUCCESS = "SUCCESS: The payment was collected."
NO_FUNDS = "FAILED: Insufficient funds."
EXPIRED = "FAILED: Your card has expired."
IN_FLIGHT = "AWAITING: Waiting for the money to clear from the customer's account."
NO_MANDATE = (
    "AWAITING: Exception of type 'Nexudus.Coworking.CoworkerPaymentProcessing.Exceptions.NotPreAuthFoundException'"
    " was thrown."
)

USUAL = {
    "coworker_invoice_business_id": 7,
    "coworker_invoice_business_currency_code": "GBP",
    "coworker_invoice_coworker_full_name": "Ada Byron",
    "coworker_invoice_total_amount": "100",
    "coworker_invoice_paid": False,
    "coworker_invoice_paid_on": None,
    "coworker_invoice_refunded": False,
    "coworker_invoice_draft": False,
    "updated_by": "system@nexudus.com",
    "is_problem": False,
    "deleted_at": None,
}
SHORT = {
    "invoice": "coworker_invoice_id",
    "amount": "coworker_invoice_total_amount",
    "currency": "coworker_invoice_business_currency_code",
    "business": "coworker_invoice_business_id",
    "paid_on": "coworker_invoice_paid_on",
    "refunded": "coworker_invoice_refunded",
    "draft": "coworker_invoice_draft",
    "full_name": "coworker_invoice_coworker_full_name",
    "bill_to": "coworker_invoice_bill_to_name",
}


def entry(number, invoice, description, at=0, name=RESULT, **facts):
    """One landed row; `at` is an instant or a number of days after START."""
    moment = at if isinstance(at, datetime) else START + timedelta(days=at)
    row = USUAL | {"id": number, "coworker_invoice_id": invoice, "name": name, "description": description}
    row |= {"created_on": moment, "updated_on": moment, "seen_at": moment + timedelta(hours=1)}
    row |= {SHORT.get(fact, fact): value for fact, value in facts.items()}
    if row["coworker_invoice_paid_on"]:
        row["coworker_invoice_paid"] = True
    return row


def land(connection, *entries):
    """Put the entries into the warehouse, as they are."""
    given = pl.DataFrame(list(entries), infer_schema_length=None)
    # A column without a value has no type, and DuckDB 2 reads no such column.
    with readable(connection, given_entries=given.with_columns(pl.col(pl.Null).cast(pl.String))):
        connection.execute("insert into land.coworker_invoice_histories by name select * from given_entries")


def close_until(connection, moment):
    """Put into the ledger that UpdatedOn has been read up to this moment."""
    connection.execute(
        "insert into land.windows (entity, axis, from_at, to_at) values ('CoworkerInvoiceHistory', 'UpdatedOn', ?, ?)",
        [START, moment],
    )


def model(connection, *names, zone="UTC", **settings) -> list[BuiltModel]:
    """Build the models of these names and what they read (else all), and insist that each of their promises holds."""
    built = build_all(connection, zone, models=models_behind(*names), **settings)
    assert {
        f"{one.model.name}: {each.name}": each.rows for one in built for each in one.checks if not each.passed
    } == {}
    return built


@cache
def models_behind(*names) -> list[SqlModel]:
    """These models and all that they read, in order, with the data tests that find their tables there."""
    chosen = sql_models.models_behind([f"model.{name}" for name in names]) if names else load_models()
    there = {each.table for each in chosen}
    return [
        replace(
            each, tests=tuple(test for test in each.tests if {t for t in test.upstream if t[:6] == "model."} <= there)
        )
        for each in chosen
    ]


def rows(connection, query):
    """A query's rows as dictionaries."""
    answer = connection.execute(query)
    columns = [column[0] for column in answer.description]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def row(connection, query):
    """A query's only row."""
    (only,) = rows(connection, query)
    return only
