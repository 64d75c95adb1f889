"""The list of invoices: ids, filters, roles, and what live accounts' invoices are odd in."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from pipelines.sandbox.invoice_list import INVOICE_LIST
from pipelines.sandbox.invoice_wire import CANARY, invoice_record
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.wire import record

PAGE = Path(__file__).parents[3] / "shared" / "api" / "coworkerinvoices.md"


def ask(api, **params):
    answer = api.http.get(INVOICE_LIST.path, params=params)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content)


def ids(api, **params):
    return [one["Id"] for one in ask(api, **params)["Records"]]


@pytest.fixture(scope="module")
def invoices():
    return make_operator(size=12_000, months=12).invoices


@pytest.mark.skipif(not PAGE.exists(), reason="the API's pages are not here")
def test_every_field_that_the_page_names_is_in_a_record(invoices):
    table = PAGE.read_text().split("## Fields that matter")[1].split("## Other")[0]
    rows = [row.split("|") for row in table.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([A-Z][A-Za-z]+)`", row[1])}
    fields = set().union(*(invoice_record(one) for one in invoices[:50]))
    assert len(named) > 30
    assert named <= fields


def test_several_are_found_by_their_ids_and_those_that_are_gone_are_left_out(api):
    first, second, third = ids(api, size=3)
    api.sandbox.store.delete_invoice(second)
    assert ids(api, id=f"[{third},{second},{first},1]") == [first, third]
    assert ids(api, id=first) == [first]
    api.sandbox.knobs.most_ids_at_once = 1
    assert ids(api, id=f"[{first},{third}]") == [first]


@pytest.mark.parametrize("axis", INVOICE_LIST.range_fields)
def test_a_range_keeps_just_the_rows_on_its_side(quiet_api, axis):
    truth = quiet_api.sandbox.store.invoice_truth()
    values = sorted(one[axis] for one in truth if one[axis] is not None)
    middle = values[len(values) // 2].replace(second=0)
    expected = {one["Id"] for one in truth if one[axis] is not None and one[axis] >= middle}
    params = {f"from_CoworkerInvoice_{axis}": f"{middle:%Y-%m-%dT%H:%M}"}
    assert set(ids(quiet_api, size=1000, **params)) == expected
    assert 0 < len(expected) < len(truth)


@pytest.mark.parametrize("flag", ["Draft", "Paid", "Void"])
def test_a_flag_separates_both_sides(quiet_api, flag):
    both = [ask(quiet_api, **{f"CoworkerInvoice_{flag}": value}, size=1)["TotalItems"] for value in ("true", "false")]
    assert min(both) > 0
    assert sum(both) == len(quiet_api.sandbox.store.invoices)


def test_the_list_takes_a_role_of_its_own(api):
    api.sandbox.knobs.roles = "CoworkerInvoiceHistory-List"
    assert api.http.get(INVOICE_LIST.path).status_code == 401
    api.sandbox.knobs.roles = "CoworkerInvoice-List"
    assert api.http.get(INVOICE_LIST.path).status_code == 200


def test_what_becomes_of_invoices_changes_no_entry():
    with_states = make_operator(size=600, months=3)
    assert {record(one)["CoworkerInvoiceTotalAmount"] >= 0 for one in with_states.entries} == {True}
    assert not [one for one in with_states.entries if one.invoice.credits]


def test_states_of_all_kinds_occur(invoices):
    for name in ("void", "credits", "credited", "part_paid", "is_open", "draft", "refunded_on"):
        assert 0 < sum(bool(getattr(one, name)) for one in invoices) < len(invoices) / 3, name
    for one in invoices:
        if one.credits is not None:
            assert one.amount == -one.credits.credited < 0
            assert one.credits.due == 0


def test_the_oddities_of_live_invoices_occur(invoices):
    records = [invoice_record(one) for one in invoices]
    flagged = [one for one in records if one["CreditNote"] and one["TotalAmount"] > 0]
    assert flagged
    assert {one["OriginalInvoiceGuid"] for one in flagged} == {None}
    assert {"DueAmount" in one for one in records} == {True, False}
    assert {one["RefundedAmount"] > 0 for one in records if one["Refunded"]} == {True, False}
    unmoved = [one for one in records if one["Paid"] and one["TotalAmount"] > 0 and one["UpdatedOn"] < one["PaidOn"]]
    assert len(unmoved) > len(records) / 3


def test_a_payment_does_not_move_the_invoice_and_a_fee_raises_its_total(api):
    store = api.sandbox.store
    invoice = next(one for one in store.invoices.values() if one.is_open and not one.part_paid)
    before = invoice_record(invoice)
    api.sandbox.clock.advance(timedelta(hours=1))
    store.part_pay(invoice.id)
    part = invoice_record(invoice)
    store.pay(invoice.id, fee=100)
    after = invoice_record(invoice)
    assert before["UpdatedOn"] == part["UpdatedOn"] == after["UpdatedOn"]
    assert Decimal(0) < part["PaidAmount"] < after["PaidAmount"] == after["TotalAmount"] > before["TotalAmount"]
    assert not invoice.is_open


def test_secrets_and_bank_details_are_in_the_records(invoices):
    secret = {name for one in invoices for name, value in invoice_record(one).items() if CANARY in str(value)}
    assert {"GoCardlessReference", "SpreedlyToken", "CoworkerCardNumber", "BillToBankAccount"} <= secret
