"""What becomes of an invoice that failed, from the sandbox to the published file, with and without the role."""

import logging
from datetime import UTC, datetime
from zipfile import ZipFile

import duckdb
import pytest
from given_collection import NO_FUNDS, build_models, sync

from pipelines.land.warehouse import open_warehouse
from pipelines.model.building import build_all
from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import publish
from pipelines.publish.snapshot import open_snapshot
from pipelines.publish.spreadsheets import export
from pipelines.sandbox.invoice_wire import CANARY
from pipelines.sandbox.operators import make_operator
from pipelines.settings import Settings
from pipelines.show.report import write_report

FATES = ("left", "voided", "credited", "part paid", "paid with a fee", "refunded")


def reopen(store, invoice):
    """Make it an open one."""
    if invoice.paid_on is not None:
        store.by_paid_on.remove(invoice)
    if invoice.refunded_on is not None:
        store.by_refunded_on.remove(invoice)
    invoice.paid_on = invoice.refunded_on = invoice.head = None
    invoice.void, invoice.part_paid, invoice.credited = False, 0, 0


@pytest.fixture
def failed(sandbox):
    """The Ids of six open invoices, each of which has failed once, two days ago, by what becomes of it then."""
    store = sandbox.store
    found = [one for one in store.invoices.values() if one.amount > 100 and not one.draft][: len(FATES)]
    invoices = dict(zip(FATES, found, strict=True))
    for invoice in invoices.values():
        reopen(store, invoice)
        for entry in list(invoice.entries):
            store.delete(entry.id)
        moment = store.until - 2 * 86_400
        store.insert(invoice.id, "Payment Result", NO_FUNDS, created_on=moment, updated_on=moment)
    store.void(invoices["voided"].id)
    store.credit(invoices["credited"].id)
    store.part_pay(invoices["part paid"].id)
    store.pay(invoices["paid with a fee"].id, fee=125)
    store.pay(invoices["refunded"].id)
    store.refund(invoices["refunded"].id)
    return {fate: invoice.id for fate, invoice in invoices.items()}


def published(settings: Settings, path, ids):
    with open_warehouse(settings) as connection:
        build_models(connection, *(model.name for model in load_models()))
        publish(connection, load_models(), path, personal_data=True)
    with duckdb.connect(str(path), read_only=True) as file:
        rows = file.execute(
            "select invoice_id, invoice_status, recovery_state, open_amount = due_amount, open_amount > 0"
            " from failed_invoice_recoveries inner join invoices using (invoice_id)"
            " where list_contains($ids, invoice_id)",
            {"ids": list(ids.values())},
        ).fetchall()
        ((basis,),) = file.execute("select invoice_states_from from about").fetchall()
        ((is_tied,),) = file.execute(
            "select sum(open_amount) = (select sum(open_amount) from currency_recovery_cohorts)"
            " from failed_invoice_recoveries"
        ).fetchall()
    fates = {number: fate for fate, number in ids.items()}
    return {fates[number]: rest for number, *rest in rows}, basis, is_tied


def test_each_fate_of_a_failed_invoice_is_published(sandbox, settings_for, failed, tmp_path):
    settings = settings_for(sandbox)
    sync(settings)

    found, basis, is_tied = published(settings, tmp_path / "analytics.duckdb", failed)

    assert found == {
        "left": ["open", "open", True, True],
        "voided": ["voided", "voided", True, False],
        "credited": ["credited", "credited", True, False],
        "part paid": ["partly_paid", "partly_recovered", True, True],
        "paid with a fee": ["paid", "recovered", True, False],
        "refunded": ["refunded", "refunded", True, False],
    }
    assert (basis, is_tied) == ("invoices", True)


def test_without_the_role_what_an_entry_cannot_show_stays_open_and_about_says_so(
    sandbox, settings_for, failed, tmp_path
):
    settings = settings_for(sandbox)
    sync(settings, invoices=False)
    path = tmp_path / "analytics.duckdb"

    found, basis, is_tied = published(settings, path, failed)
    assert {fate for fate, (_, state, *_) in found.items() if state == "open"} == set(FATES[:4])
    assert (basis, is_tied) == ("entries", True)

    sync(settings)  # the role is granted
    found, basis, _ = published(settings, path, failed)
    assert {fate for fate, (_, state, *_) in found.items() if state == "open"} == {"left"}
    assert basis == "invoices"


def test_no_card_bank_or_contract_number_is_in_any_file_or_log(sandbox, settings_for, failed, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    settings = settings_for(sandbox)
    sync(settings)
    published(settings, settings.analytics_path, failed)
    with open_snapshot(settings.analytics_path, writes_to=tmp_path) as snapshot:
        for kind in ("csv", "xlsx"):
            export(snapshot, tmp_path / "export", kind, snapshot.tables)
        write_report(snapshot, tmp_path / "report.html", datetime.now(UTC))

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {".duckdb", ".csv", ".xlsx", ".html"} <= {path.suffix for path in files}
    assert [path.name for path in files if CANARY.encode() in unpacked(path)] == []
    assert CANARY not in caplog.text
    with open_warehouse(settings) as connection:
        raw = "select count(*) from land.coworker_invoice_versions where raw::varchar like $mark"
        assert connection.execute(raw, {"mark": f"%{CANARY}%"}).fetchall() == [(0,)]


def unpacked(file):
    if file.suffix != ".xlsx":
        return file.read_bytes()
    with ZipFile(file) as workbook:
        return b"".join(map(workbook.read, workbook.namelist()))


@pytest.mark.parametrize("sandbox_operator", [make_operator(size=4000, months=12)])
def test_every_promise_holds_where_invoices_are_partly_paid_credited_and_voided(sandbox, settings_for):
    settings = settings_for(sandbox)
    sync(settings)

    with open_warehouse(settings) as connection:
        built = build_all(connection)
        states = connection.execute("select distinct recovery_state from model.failed_invoice_recoveries").fetchall()

    assert {("partly_recovered",), ("credited",), ("voided",)} <= set(states)
    assert [f"{one.model.name}: {each.name}" for one in built for each in one.checks if not each.passed] == []
