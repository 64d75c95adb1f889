"""Each parameter of the two reference pages does what it says, against plain Python over the sandbox's own rows."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pipelines.errors import RefusedError, WrongUseError
from pipelines.extract.client import Reply
from pipelines.extract.failures import DeepPageError, EntryRefusedError, UncertainWriteError
from pipelines.extract.histories import (
    WIRE_NAMES,
    Histories,
    HistoryFilters,
    NewHistoryEntry,
    created_id,
    wire_parameters,
)
from pipelines.extract.records import FIELD_NAMES, EnvelopeError

REFERENCE = Path(__file__).parents[2].parent / "shared" / "api"
EQUALITIES = [name for name in WIRE_NAMES if not name.startswith(("from_", "to_"))]
RANGES = [name for name in WIRE_NAMES if name.startswith(("from_", "to_"))]


@pytest.fixture
def histories(small_sandbox, client_for, settings_for):
    for number, entry in enumerate(small_sandbox.store.by_id.items):
        entry.notify = number % 7 == 0
    return Histories(client_for(small_sandbox), settings_for(small_sandbox.base_url))


def ids(records):
    return sorted(record.id if hasattr(record, "id") else record["Id"] for record in records)


# The contract


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference pages are not here")
def test_every_parameter_of_the_reference_page_can_be_asked_for():
    page = (REFERENCE / "search-coworkerinvoicehistories.md").read_text()
    named = set(re.findall(r'ParamField query="([^"]+)"', page))
    assert named - {"page", "size", "orderBy", "dir"} == set(WIRE_NAMES.values())


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference pages are not here")
def test_every_field_of_the_create_page_can_be_sent():
    page = (REFERENCE / "create-coworkerinvoicehistories.md").read_text()
    body = page.split("Request Body")[1].split("Code Examples")[0]
    named = set(re.findall(r"^([A-Z][A-Za-z]+)$", body, re.MULTILINE))
    assert named == {field.encode_name for field in msgspec.structs.fields(NewHistoryEntry)}


def test_there_are_18_equality_and_14_range_filters_each_with_a_name_of_its_own():
    assert (len(EQUALITIES), len(RANGES), len(set(WIRE_NAMES.values()))) == (18, 14, 32)
    assert set(WIRE_NAMES) == set(HistoryFilters.__struct_fields__)
    assert set(EQUALITIES) <= set(FIELD_NAMES)


# What goes out


@pytest.mark.parametrize(
    ("filters", "zone", "expected"),
    [
        ({"is_problem": True}, "UTC", "true"),
        ({"notify": False}, "UTC", "false"),
        ({"coworker_invoice_total_amount": Decimal("1E+3")}, "UTC", "1000"),
        ({"coworker_invoice_total_amount": "12.50"}, "UTC", "12.50"),
        ({"name": "Payment received & sent"}, "UTC", "Payment received & sent"),
        ({"from_updated_on": datetime(2025, 7, 1, 12, 5, 59, tzinfo=UTC)}, "UTC", "2025-07-01T12:05"),
        ({"to_updated_on": datetime(2025, 7, 1, 12, 5, tzinfo=UTC)}, "UTC", "2025-07-01T12:05"),
        ({"to_updated_on": datetime(2025, 7, 1, 12, 5, 0, 1, tzinfo=UTC)}, "UTC", "2025-07-01T12:06"),
        ({"from_updated_on": datetime(2025, 7, 1, 12, 5, tzinfo=UTC)}, "Europe/London", "2025-07-01T13:05"),
        ({"from_updated_on": datetime(2025, 1, 1, 12, 5, tzinfo=UTC)}, "Europe/London", "2025-01-01T12:05"),
        ({"from_updated_on": datetime(2025, 1, 1, tzinfo=ZoneInfo("America/New_York"))}, "UTC", "2025-01-01T05:00"),
    ],
)
def test_values_go_out_as_the_api_reads_them(filters, zone, expected):
    (name,) = filters
    assert wire_parameters(HistoryFilters(**filters), ZoneInfo(zone)) == {WIRE_NAMES[name]: expected}


def test_an_instant_without_a_zone_is_a_mistake():
    with pytest.raises(ValueError, match="from_created_on has no time zone"):
        wire_parameters(HistoryFilters(from_created_on=datetime(2025, 1, 1)), ZoneInfo("UTC"))  # noqa: DTZ001


def test_paging_and_sorting_go_out_under_their_names(small_sandbox, histories):
    histories.search(HistoryFilters(is_problem=True), page=2, size=5, order_by="CreatedOn", direction=1)
    histories.search()
    first, second = [one.params for one in small_sandbox.requests.data()]
    assert first == {
        "page": "2",
        "size": "5",
        "orderBy": "CreatedOn",
        "dir": "1",
        "CoworkerInvoiceHistory_IsProblem": "true",
    }
    assert second == {"page": "1", "size": "1000"}


# What comes back


@pytest.mark.parametrize("name", EQUALITIES)
def test_each_equality_filter_finds_just_its_rows(small_sandbox, histories, name):
    truth = small_sandbox.store.truth()
    values = [row[FIELD_NAMES[name]] for row in truth if row[FIELD_NAMES[name]] not in (None, False)]
    if name.endswith("_draft"):
        values = [False]
    wanted = values[len(values) // 2]
    found = histories.search(HistoryFilters(**{name: wanted}))
    expected = [row for row in truth if _equal(row[FIELD_NAMES[name]], wanted)]
    assert found.total_items == len(expected)
    assert ids(found.records) == ids(expected)
    assert 0 < len(expected) <= len(truth)


def _equal(value, wanted):
    if isinstance(wanted, datetime):  # asked for by the minute
        return value is not None and value.replace(second=0) == wanted.replace(second=0)
    return value == wanted


@pytest.mark.parametrize("name", RANGES)
def test_each_range_filter_finds_just_its_rows(small_sandbox, histories, name):
    end, _, column = name.partition("_")
    truth = small_sandbox.store.truth()
    values = sorted(row[FIELD_NAMES[column]] for row in truth if row[FIELD_NAMES[column]] is not None)
    wanted = values[len(values) // 3]
    if isinstance(wanted, datetime):
        wanted = wanted.replace(second=0) + timedelta(minutes=1)
    found = histories.search(HistoryFilters(**{name: wanted}))
    keep = (lambda value: value >= wanted) if end == "from" else (lambda value: value <= wanted)
    expected = [row for row in truth if (value := row[FIELD_NAMES[column]]) is not None and keep(value)]
    assert ids(found.records) == ids(expected)
    assert 0 < len(expected) < len(truth)


def test_filters_combine(small_sandbox, histories):
    filters = HistoryFilters(is_problem=True, coworker_invoice_business_currency_code="GBP")
    expected = [
        row
        for row in small_sandbox.store.truth()
        if row["IsProblem"] and row["CoworkerInvoiceBusinessCurrencyCode"] == "GBP"
    ]
    assert histories.count(filters) == len(expected) > 0


def test_a_count_costs_one_row(small_sandbox, histories):
    assert histories.count() == len(small_sandbox.store)
    assert [one.record_count for one in small_sandbox.requests.data()] == [1]


def test_a_page_that_is_no_envelope_is_an_error(small_sandbox, histories):
    small_sandbox.faults.inject("login_page")
    with pytest.raises(EnvelopeError, match="HTML page"):
        histories.search()


def test_a_refused_deep_page_can_be_told_from_a_missing_role(small_sandbox, histories):
    small_sandbox.knobs.deep_page_403_after = 1
    with pytest.raises(DeepPageError):
        histories.search(page=2, size=10)


def test_one_entry_is_the_same_as_in_the_list(histories):
    listed = histories.search(size=1).records[0]
    alone = histories.get_one(listed.id)
    assert msgspec.structs.replace(alone, raw=b"") == msgspec.structs.replace(listed, raw=b"")


def test_an_entry_that_is_not_there_is_none(histories):
    assert histories.get_one(2**40) is None


# Writing


@pytest.mark.parametrize("flags", [{}, {"is_problem": True, "notify": True}, {"is_problem": False, "notify": False}])
def test_an_entry_is_created_with_what_was_given(small_sandbox, histories, flags):
    invoice_id = next(iter(small_sandbox.store.invoices))
    entry = NewHistoryEntry(coworker_invoice_id=invoice_id, name="Called", description="Will pay on Friday", **flags)
    created = histories.get_one(histories.create(entry))
    assert (created.coworker_invoice_id, created.name, created.description) == (
        invoice_id,
        "Called",
        "Will pay on Friday",
    )
    assert created.is_problem is flags.get("is_problem", False)
    assert len(small_sandbox.store.notified_ids) == flags.get("notify", False)


def test_what_was_not_given_is_not_sent():
    entry = NewHistoryEntry(coworker_invoice_id=1, name="n", description="d", is_problem=False)
    assert msgspec.to_builtins(entry) == {
        "CoworkerInvoiceId": 1,
        "Name": "n",
        "Description": "d",
        "IsProblem": False,
    }


def test_a_refused_entry_names_each_property(small_sandbox, histories):
    before = len(small_sandbox.store)
    invoice_id = next(iter(small_sandbox.store.invoices))
    with pytest.raises(EntryRefusedError) as caught:
        histories.create(NewHistoryEntry(coworker_invoice_id=invoice_id, name="", description=""))
    assert caught.value.problems == (("Name", "is a required field"), ("Description", "is a required field"))
    assert "Name: is a required field; Description: is a required field" in str(caught.value)
    assert isinstance(caught.value, WrongUseError)
    assert len(small_sandbox.store) == before


def test_an_entry_refused_with_200_is_refused(small_sandbox, histories):
    small_sandbox.faults.inject("write_refused")
    with pytest.raises(EntryRefusedError):
        histories.create(
            NewHistoryEntry(coworker_invoice_id=next(iter(small_sandbox.store.invoices)), name="n", description="d")
        )


def test_writing_without_the_role_names_it(small_sandbox, histories):
    small_sandbox.knobs.roles = "CoworkerInvoiceHistory-List"
    with pytest.raises(RefusedError, match="`CoworkerInvoiceHistory-Create`"):
        histories.create(NewHistoryEntry(coworker_invoice_id=1, name="n", description="d"))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"WasSuccessful":true,"Value":{"Id":7}}', None),
        (b'{"WasSuccessful":true,"Value":null}', UncertainWriteError),
        (b'{"WasSuccessful":true,"Value":{"Id":', UncertainWriteError),
        (b"<html>Sign in</html>", UncertainWriteError),
        (b"", UncertainWriteError),
        (b'{"WasSuccessful":false,"Message":"The invoice is locked"}', EntryRefusedError),
        (b"{}", UncertainWriteError),
    ],
)
def test_the_answer_to_a_create_is_read_with_care(body, error):
    reply = Reply(body=body, answered_at=datetime.now(UTC), status=200)
    if error is None:
        assert created_id(reply) == 7
    else:
        with pytest.raises(error):
            created_id(reply)
