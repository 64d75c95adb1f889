"""What released versions left on disk, kept for the versions after them: see `make_kept_data.py`."""

import lzma
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
from tested_warehouse import new_warehouse

from pipelines.extract.histories import HISTORIES
from pipelines.foundation.transactions import transaction
from pipelines.land.warehouse import warehouse_of
from pipelines.sandbox.entities import DECIMALS, Business, Entry, Invoice, Member, Operator
from pipelines.settings import Settings

_KEPT = Path(__file__).parent / "kept"
VERSIONS = sorted(folder.name for folder in _KEPT.iterdir())


def kept_file(version: str, name: str, folder: Path) -> Path:
    """A file of that version's data directory, unpacked into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_bytes(lzma.decompress((_KEPT / version / f"{name}.xz").read_bytes()))
    return file


def kept_warehouse(version: str, kind: str, folder: Path) -> Settings:
    """Settings of a warehouse as that version left it: a `file`, or a lake of a kind with the same tables."""
    file = kept_file(version, "warehouse.duckdb", folder / "data")
    if kind == "file":
        return Settings(_env_file=None, data_dir=folder / "data")
    settings = Settings(_env_file=None, data_dir=folder / "data", **new_warehouse(folder, kind))
    warehouse = warehouse_of(settings)
    with warehouse.connection({}) as connection:
        warehouse.attach(connection, read_only=False)
        connection.execute(f"attach '{file}' as kept (read_only)")
        tables = connection.execute("select schema_name, table_name from duckdb_tables() where database_name = 'kept'")
        kept = tables.fetchall()
        with transaction(connection):  # a snapshot of the lake for each table would take five times as long
            for schema, table in kept:
                connection.execute(f"create schema if not exists warehouse.{schema}")
                connection.execute(f"create table warehouse.{schema}.{table} as from kept.{schema}.{table}")
        connection.execute("detach kept")
    file.unlink()
    return settings


def account_of(version: str, folder: Path) -> Operator:
    """The account that a kept warehouse was read from, by the rows that are not deleted, for a sandbox to emulate."""
    with duckdb.connect(str(kept_file(version, "warehouse.duckdb", folder)), read_only=True) as connection:
        answer = connection.execute(f"select * from {HISTORIES.rows} where deleted_at is null order by id")
        names = [column[0] for column in answer.description]
        rows = [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in answer.fetchall()]
        ((until,),) = connection.execute("select max(to_at) from land.windows").fetchall()
    invoices = {row.coworker_invoice_id: _invoice(row) for row in rows}
    entries = [_entry(row, invoices[row.coworker_invoice_id]) for row in rows]
    for entry in entries:
        entry.invoice.entries.append(entry)
    businesses = {invoice.member.business.id: invoice.member.business for invoice in invoices.values()}
    return Operator([*businesses.values()], [*invoices.values()], entries, int(until.timestamp()) + 3600)


def _invoice(row: SimpleNamespace) -> Invoice:
    currency = row.coworker_invoice_business_currency_code
    business = Business(row.coworker_invoice_business_id, "Harbour House", currency, "UTC", "GB")
    full_name, bill_to = row.coworker_invoice_coworker_full_name, row.coworker_invoice_bill_to_name
    return Invoice(
        row.coworker_invoice_id,
        Member(row.coworker_invoice_coworker_id, full_name, bill_to, "someone@example.org", business),
        row.coworker_invoice_invoice_number,
        int(row.coworker_invoice_total_amount.scaleb(DECIMALS[currency])),
        _second(row.coworker_invoice_due_date),
        row.coworker_invoice_draft,
        _second(row.coworker_invoice_paid_on),
        _second(row.coworker_invoice_refunded_on),
    )


def _entry(row: SimpleNamespace, invoice: Invoice) -> Entry:
    updated_on = _second(row.updated_on) if row.has_updated_on else None
    return Entry(
        row.id,
        invoice,
        row.name,
        row.description,
        row.is_problem,
        _second(row.created_on),
        updated_on,
        row.updated_by,
        row.notify,
    )


def _second(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
