"""Each parameter of the two reference pages does what it says, against plain Python over the sandbox's own rows."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipelines.errors import RefusedError, WrongUseError
from pipelines.extract.axes import CREATED_ON, UPDATED_ON, Filters
from pipelines.extract.client import Reply
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.failures import BadRequestError, DeepPageError, EntryRefusedError, UncertainWriteError
from pipelines.extract.histories import CREATE_ROLE, HISTORIES, PAID_ON, created_id, entry_refused
from pipelines.extract.records import EnvelopeError

REFERENCE = Path(__file__).parents[2].parent / "shared" / "api"


@pytest.fixture
def histories(small_sandbox, client_for, settings_for):
    return EntitySource(client_for(small_sandbox), settings_for(small_sandbox.base_url), HISTORIES)


def ids(records):
    return sorted(record.id if hasattr(record, "id") else record["Id"] for record in records)


# The contract


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference pages are not here")
def test_every_parameter_that_is_asked_for_is_on_the_reference_page():
    page = (REFERENCE / "search-coworkerinvoicehistories.md").read_text()
    named = set(re.findall(r'ParamField query="([^"]+)"', page))
    ours = {HISTORIES.range_parameter(end, axis) for axis in HISTORIES.axes for end in ("from", "to")}
    assert ours | {HISTORIES.lookup.parameter, "page", "size", "orderBy", "dir"} <= named


# What goes out


NOON = datetime(2025, 7, 1, 12, 5, tzinfo=UTC)
FROM, TO = "from_CoworkerInvoiceHistory_UpdatedOn", "to_CoworkerInvoiceHistory_UpdatedOn"


@pytest.mark.parametrize(
    ("filters", "zone", "expected"),
    [
        (Filters(), "UTC", {}),
        (Filters(keys=(7,)), "UTC", {"CoworkerInvoiceHistory_CoworkerInvoice": "7"}),
        (Filters(UPDATED_ON, NOON + timedelta(seconds=54)), "UTC", {FROM: "2025-07-01T12:05"}),
        (Filters(UPDATED_ON, end=NOON), "UTC", {TO: "2025-07-01T12:05"}),
        (Filters(UPDATED_ON, end=NOON + timedelta(microseconds=1)), "UTC", {TO: "2025-07-01T12:06"}),
        (Filters(UPDATED_ON, NOON), "Europe/London", {FROM: "2025-07-01T13:05"}),
        (Filters(UPDATED_ON, datetime(2025, 1, 1, 12, 5, tzinfo=UTC)), "Europe/London", {FROM: "2025-01-01T12:05"}),
        (
            Filters(UPDATED_ON, datetime(2025, 1, 1, tzinfo=ZoneInfo("America/New_York"))),
            "UTC",
            {FROM: "2025-01-01T05:00"},
        ),
        (Filters(PAID_ON, NOON), "UTC", {"from_CoworkerInvoiceHistory_CoworkerInvoicePaidOn": "2025-07-01T12:05"}),
    ],
)
def test_filters_go_out_as_the_api_reads_them(filters, zone, expected):
    assert HISTORIES.parameters(filters, ZoneInfo(zone)) == expected


def test_an_instant_without_a_zone_is_a_mistake():
    with pytest.raises(ValueError, match="has no time zone"):
        HISTORIES.parameters(Filters(UPDATED_ON, datetime(2025, 1, 1)), ZoneInfo("UTC"))  # noqa: DTZ001


def test_paging_and_sorting_go_out_under_their_names(small_sandbox, histories):
    histories.search(Filters(keys=(5,)), page=2, size=5, order_by="CreatedOn", direction=1)
    histories.search()
    first, second = [one.params for one in small_sandbox.requests.data()]
    assert first == {
        "page": "2",
        "size": "5",
        "orderBy": "CreatedOn",
        "dir": "1",
        "CoworkerInvoiceHistory_CoworkerInvoice": "5",
    }
    assert second == {"page": "1", "size": "1000"}


# What comes back


def test_an_invoice_s_entries_are_found_by_its_id(small_sandbox, histories):
    truth = small_sandbox.store.truth()
    wanted = truth[len(truth) // 2]["CoworkerInvoiceId"]
    found = histories.search(Filters(keys=(wanted,)))
    expected = [row for row in truth if row["CoworkerInvoiceId"] == wanted]
    assert found.total_items == len(expected) > 0
    assert ids(found.records) == ids(expected)


@pytest.mark.parametrize("end", ["start", "end"])
@pytest.mark.parametrize("axis", HISTORIES.axes, ids=lambda axis: axis.name)
def test_each_range_filter_finds_just_its_rows(small_sandbox, histories, axis, end):
    truth = small_sandbox.store.truth()
    values = sorted(row[axis.name] for row in truth if row[axis.name] is not None)
    wanted = values[len(values) // 3].replace(second=0) + timedelta(minutes=1)
    found = histories.search(Filters(axis, **{end: wanted}))
    keep = (lambda value: value >= wanted) if end == "start" else (lambda value: value <= wanted)
    expected = [row for row in truth if (value := row[axis.name]) is not None and keep(value)]
    assert ids(found.records) == ids(expected)
    assert 0 < len(expected) < len(truth)


def test_filters_combine(small_sandbox, histories):
    truth = small_sandbox.store.truth()
    wanted = truth[len(truth) // 2]
    start = wanted["CreatedOn"].replace(second=0) + timedelta(minutes=1)
    expected = [
        row for row in truth if row["CoworkerInvoiceId"] == wanted["CoworkerInvoiceId"] and row["CreatedOn"] >= start
    ]
    found = histories.search(Filters(CREATED_ON, start, keys=(wanted["CoworkerInvoiceId"],)))
    assert ids(found.records) == ids(expected)


def test_a_page_that_is_no_envelope_is_an_error(small_sandbox, histories):
    small_sandbox.faults.inject("login_page")
    with pytest.raises(EnvelopeError, match="HTML page"):
        histories.search()


def test_a_refused_deep_page_can_be_told_from_a_missing_role(small_sandbox, histories):
    small_sandbox.knobs.deep_page_403_after = 1
    with pytest.raises(DeepPageError):
        histories.search(page=2, size=10)


# Writing


@pytest.fixture
def create(small_sandbox, client_for):
    client = client_for(small_sandbox)

    def send(**changes):
        entry = {"CoworkerInvoiceId": next(iter(small_sandbox.store.invoices)), "Name": "n", "Description": "d"}
        try:
            return created_id(client.post(HISTORIES.path, entry | changes, role=CREATE_ROLE))
        except BadRequestError as error:
            raise entry_refused(error.body) from None

    return send


@pytest.mark.parametrize("flags", [{}, {"IsProblem": True, "Notify": True}, {"IsProblem": False, "Notify": False}])
def test_an_entry_is_created_with_what_was_given(small_sandbox, create, flags):
    created = small_sandbox.store.entry(create(Name="Called", Description="Will pay on Friday", **flags))
    assert (created.name, created.description) == ("Called", "Will pay on Friday")
    assert created.is_problem is flags.get("IsProblem", False)
    assert len(small_sandbox.store.notified_ids) == flags.get("Notify", False)


def test_a_refused_entry_names_each_property(small_sandbox, create):
    before = len(small_sandbox.store)
    with pytest.raises(EntryRefusedError) as caught:
        create(Name="", Description="")
    assert caught.value.problems == (("Name", "is a required field"), ("Description", "is a required field"))
    assert "Name: is a required field; Description: is a required field" in str(caught.value)
    assert isinstance(caught.value, WrongUseError)
    assert len(small_sandbox.store) == before


def test_an_entry_refused_with_200_is_refused(small_sandbox, create):
    small_sandbox.faults.inject("write_refused")
    with pytest.raises(EntryRefusedError):
        create()


def test_writing_without_the_role_names_it(small_sandbox, create):
    small_sandbox.knobs.roles = "CoworkerInvoiceHistory-List"
    with pytest.raises(RefusedError, match="`CoworkerInvoiceHistory-Create`"):
        create()


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
        (b"[" * 5_000 + b"]" * 5_000, UncertainWriteError),
    ],
)
def test_the_answer_to_a_create_is_read_with_care(body, error):
    reply = Reply(body=body, answered_at=datetime.now(UTC), status=200)
    if error is None:
        assert created_id(reply) == 7
    else:
        with pytest.raises(error):
            created_id(reply)
