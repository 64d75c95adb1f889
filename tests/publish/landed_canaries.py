"""A small warehouse whose people have names that occur nowhere else."""

from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl

from pipelines.foundation.frames import readable
from pipelines.land.layout import create_tables
from pipelines.model.building import build_all

CANARIES = ("Zanthippe", "Quillfeather", "Brightwhistle", "ops-nightjar")
START = datetime(2025, 1, 6, 9, tzinfo=UTC)
TEXTS = (
    ("Invoice sent", "Invoice was sent to zanthippe@quillfeather.example for Zanthippe Quillfeather.", False),
    ("Payment Result", "AWAITING: Waiting for the money to clear from the customer's account.", False),
    ("Payment Result", "FAILED: Insufficient funds. Zanthippe Quillfeather, card 4711.", True),
    ("Payment Result", "SUCCESS: The payment was collected.", False),
    ("=cmd|' /C calc'!A0", "<script>alert('Robert'); drop table invoices;--</script>", True),
)
CURRENCIES = ("GBP", "EUR", "JPY", "KWD")


def landed_rows(count: int = 600) -> list[dict[str, object]]:
    """So many landed rows over four businesses, a currency each."""
    return [_row(number) for number in range(count)]


def _row(number: int) -> dict[str, object]:
    name, description, is_problem = TEXTS[number % len(TEXTS)]
    at = START + timedelta(hours=7 * number)
    return {
        "id": 2_147_480_000 + number,
        "coworker_invoice_id": 61_000_000 + number // 5,
        "coworker_invoice_business_id": 1_414_970 + number // 5 % 4,
        "coworker_invoice_business_currency_code": CURRENCIES[number // 5 % 4],
        "coworker_invoice_coworker_full_name": "Zanthippe Quillfeather",
        "coworker_invoice_bill_to_name": "Brightwhistle Ltd",
        "coworker_invoice_total_amount": f"{100 + number % 7}.25",
        "coworker_invoice_paid": number % 3 == 0,
        "coworker_invoice_paid_on": at if number % 3 == 0 else None,
        "coworker_invoice_refunded": False,
        "coworker_invoice_draft": False,
        "updated_by": "ops-nightjar@example.com",
        "name": name,
        "description": description,
        "is_problem": is_problem,
        "created_on": at,
        "updated_on": at,
        "seen_at": at + timedelta(hours=1),
    }


def modelled_warehouse() -> duckdb.DuckDBPyConnection:
    """The rows, landed and modelled, in memory; with a gap of a day in the ledger."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    create_tables(connection)
    with readable(connection, given=pl.DataFrame(landed_rows(), infer_schema_length=None)):
        connection.execute("insert into land.coworker_invoice_histories by name select * from given")
    day = timedelta(days=1)
    for start, end in ((START, START + 100 * day), (START + 101 * day, START + 176 * day)):
        connection.execute(
            "insert into land.windows (entity, axis, from_at, to_at, row_count, request_count, run_id, closed_at)"
            " values ('CoworkerInvoiceHistory', 'UpdatedOn', ?, ?, 300, 2, 'run-1', ?)",
            [start, end, end],
        )
    built = build_all(connection)
    assert [check for model in built for check in model.checks if not check.passed] == []
    return connection
