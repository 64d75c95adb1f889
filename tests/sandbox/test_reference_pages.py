"""The sandbox against both reference pages: every documented name, and what each promises."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.sandbox.history_list import HISTORY_LIST
from pipelines.sandbox.questions import PAGING

EQUALITY_FILTERS, RANGE_FILTERS = HISTORY_LIST.equalities, HISTORY_LIST.ranges

PAGES = Path(__file__).parents[3] / "shared" / "api"


def page(name):
    path = PAGES / f"{name}-coworkerinvoicehistories.md"
    if not path.exists():
        pytest.skip("the reference pages are not beside this checkout")
    return path.read_text()


def wire(value):
    """A value of the ground truth as a filter takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strftime("%Y-%m-%dT%H:%M") if isinstance(value, datetime) else str(value)


def to_the_minute(value):
    return value.replace(second=0) if isinstance(value, datetime) else value


def expected(api, fits):
    return [record["Id"] for record in api.sandbox.store.truth() if fits(record)]


def test_every_documented_parameter_is_known_and_no_other():
    documented = set(re.findall(r'<ParamField query="(\w+)"', page("search")))
    assert documented == {*PAGING, *EQUALITY_FILTERS, *RANGE_FILTERS}
    assert (len(EQUALITY_FILTERS), len(RANGE_FILTERS)) == (18, 14)


def test_the_answer_has_just_the_fields_of_the_documented_example(quiet_api):
    example = json.loads(re.search(r"```json Example Response.*?\n(.*?)```", page("search"), re.DOTALL)[1])
    answer = quiet_api.search(size=1)
    assert answer.keys() == example.keys()
    assert answer["Records"][0].keys() == example["Records"][0].keys()


@pytest.mark.parametrize(("name", "field"), EQUALITY_FILTERS.items())
def test_an_equality_filter_keeps_just_the_rows_with_that_value(quiet_api, name, field):
    values = [record[field] for record in quiet_api.sandbox.store.truth() if record[field] is not None]
    wanted = to_the_minute(values[len(values) // 2])
    rows = expected(quiet_api, lambda record: to_the_minute(record[field]) == wanted)
    assert len(rows) > 0
    assert quiet_api.ids(**{name: wire(wanted)}, size=1000) == rows[:1000]


@pytest.mark.parametrize("flag", ["Paid", "Refunded", "Draft"])
def test_a_flag_filter_tells_both_sides_apart(quiet_api, flag):
    name = f"CoworkerInvoiceHistory_CoworkerInvoice_{flag}"
    both = [quiet_api.search(**{name: value}, size=1)["TotalItems"] for value in ("true", "false")]
    assert min(both) > 0
    assert sum(both) == len(quiet_api.sandbox.store)


@pytest.mark.parametrize(("name", "column"), [(name, column) for name, (_, column) in RANGE_FILTERS.items()])
def test_a_range_filter_keeps_just_the_rows_on_its_side(quiet_api, name, column):
    values = sorted(record[column] for record in quiet_api.sandbox.store.truth() if record[column] is not None)
    middle = to_the_minute(values[len(values) // 2])

    def fits(record):
        value = record[column]
        return value is not None and (value >= middle if name.startswith("from_") else value <= middle)

    rows = expected(quiet_api, fits)
    assert 0 < len(rows) < len(quiet_api.sandbox.store)
    answer = quiet_api.search(**{name: wire(middle)}, size=1000)
    assert answer["TotalItems"] == len(rows)
    assert [record["Id"] for record in answer["Records"]] == rows[:1000]


def test_all_filters_work_together(quiet_api):
    truth = quiet_api.sandbox.store.truth()
    one = next(record for record in truth if record["Name"] == "Payment Result" and record["CoworkerInvoicePaid"])
    params = {name: wire(one[field]) for name, field in EQUALITY_FILTERS.items() if one[field] is not None}
    params |= {name: wire(one[field]) for name, (end, field) in RANGE_FILTERS.items() if end == "from" and one[field]}
    assert one["Id"] in quiet_api.ids(**params)
    assert len(quiet_api.ids(**params)) <= 2


def test_what_nobody_documented_is_ignored_with_200(quiet_api):
    answer = quiet_api.search(from_CoworkerInvoiceHistory_UpdatedSince="2025-06-01T00:00", Size=3)
    assert answer["TotalItems"] == len(quiet_api.sandbox.store)
    assert len(answer["Records"]) == 25


def test_a_created_row_answers_as_the_create_page_shows_and_is_found(api):
    example = json.loads(re.search(r"Example Response\n(\{.*?\n\})\n\n400", page("create"), re.DOTALL)[1])
    invoice_id = next(iter(api.sandbox.store.invoices))
    answer = api.create(CoworkerInvoiceId=invoice_id, Name="Called", Description="Left a message.", Notify=True)
    body = answer.json()
    assert answer.status_code == 200
    assert body.keys() == example.keys()
    found = api.search(CoworkerInvoiceHistory_Name="Called")["Records"]
    assert [(row["Id"], row["CoworkerInvoiceId"]) for row in found] == [(body["Value"]["Id"], invoice_id)]
    assert found[0]["UpdatedBy"] == api.sandbox.username
    assert api.sandbox.store.notified_ids == [body["Value"]["Id"]]


def test_a_missing_property_answers_the_400_body_of_the_create_page(api):
    example = json.loads(re.search(r"400\n.*Example Response\n(\{.*\})", page("create"), re.DOTALL)[1])
    answer = api.create(CoworkerInvoiceId=next(iter(api.sandbox.store.invoices)), Description="x")
    assert answer.status_code == 400
    assert answer.json() == example
