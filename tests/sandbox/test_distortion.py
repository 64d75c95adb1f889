"""How records may be written; and that the truth is told beside them."""

from decimal import Decimal

import msgspec
import pytest


def records(api, **knobs):
    for name, value in knobs.items():
        setattr(api.sandbox.knobs, name, value)
    return api.search(size=500)["Records"]


@pytest.mark.parametrize(("kind", "types"), [("plain", {bool}), ("text", {str}), ("mixed", {bool, str})])
def test_flags_come_as_booleans_or_text(api, kind, types):
    rows = records(api, flag_type=kind)
    assert {type(row["CoworkerInvoicePaid"]) for row in rows} == types
    assert {type(row["CoworkerInvoiceDraft"]) for row in rows} == types
    assert {str(row["CoworkerInvoicePaid"]) for row in rows} == {"True", "False"}


@pytest.mark.parametrize(("kind", "types"), [("plain", 1), ("text", 1), ("mixed", 2)])
def test_amounts_come_as_numbers_or_text_and_are_the_same_to_the_last_digit(api, kind, types):
    rows = records(api, total_amount_type=kind)
    raw = msgspec.json.decode(api.get(size=500).content, type=dict[str, msgspec.Raw])["Records"]
    exact = msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]])
    told = [bytes(row["CoworkerInvoiceTotalAmount"]).decode().strip('"') for row in exact]
    assert told == [str(row["CoworkerInvoiceTotalAmount"]) for row in api.sandbox.store.truth()[:500]]
    assert len({isinstance(row["CoworkerInvoiceTotalAmount"], str) for row in rows}) == types


@pytest.mark.parametrize(
    ("form", "shapes"),
    [
        ("z", {"0000-00-00T00:00:00Z"}),
        ("fraction", {"0000-00-00T00:00:00.000Z"}),
        ("no_zone", {"0000-00-00T00:00:00"}),
        (
            "mixed",
            {
                "0000-00-00T00:00:00Z",
                "0000-00-00T00:00:00.000Z",
                "0000-00-00T00:00:00",
                "0000-00-00T00:00:00.0000000Z",
            },
        ),
    ],
)
def test_times_take_every_form(api, form, shapes):
    rows = records(api, time_form=form)
    digits = str.maketrans("123456789", "000000000")
    assert {row["UpdatedOn"].translate(digits) for row in rows} == shapes
    assert {row["CoworkerInvoiceDueDate"].translate(digits) for row in rows} == shapes


def test_some_records_have_a_field_that_nobody_documented(api):
    rows = records(api, unknown_field_rate=0.5)
    assert 150 < sum("CoworkerInvoiceTaxRateName" in row for row in rows) < 350


def test_some_records_lack_a_field(api):
    complete = set(records(api)[0])
    rows = records(api, missing_field_rate=0.5)
    lacking = [complete - row.keys() for row in rows if complete != row.keys()]
    assert 150 < len(lacking) < 350
    assert {len(fields) for fields in lacking} == {1}
    assert not {"Id", "CreatedOn", "UpdatedOn"} & set.union(*lacking)
    rows = records(api, missing_field="UpdatedOn")
    assert {frozenset(complete - row.keys()) for row in rows} == {frozenset(), frozenset({"UpdatedOn"})}


def test_some_records_break_the_contract(api):
    rows = records(api, wrong_type_rate=0.1)
    assert 20 < sum(row["CoworkerInvoiceId"] == "not a number" for row in rows) < 90


def test_some_records_are_shown_without_updated_on_and_always_the_same(api):
    first = [row["Id"] for row in records(api, null_updated_on_rate=0.1) if row["UpdatedOn"] is None]
    again = [row["Id"] for row in records(api) if row["UpdatedOn"] is None]
    assert first == again
    assert 20 < len(first) < 90


def test_the_truth_is_not_distorted(api):
    plain = api.sandbox.store.truth()
    records(api, flag_type="text", total_amount_type="text", missing_field_rate=1.0, null_updated_on_rate=1.0)
    assert api.sandbox.store.truth() == plain
    assert isinstance(plain[0]["CoworkerInvoiceTotalAmount"], Decimal)


def test_an_amount_changed_is_joined_into_all_entries(api):
    invoice = next(one for one in api.sandbox.store.invoices.values() if len(one.entries) > 1)
    api.sandbox.store.set_amount(invoice.id, Decimal("12.34"))
    rows = api.search(CoworkerInvoiceHistory_CoworkerInvoice=invoice.id)["Records"]
    assert {row["CoworkerInvoiceTotalAmount"] for row in rows} == {12.34}
