import time

import httpx
import pytest

from pipelines.sandbox.history_list import HISTORY_LIST


@pytest.fixture
def entry(api):
    return {"CoworkerInvoiceId": next(iter(api.sandbox.store.invoices)), "Name": "Called", "Description": "No answer."}


def made(api):
    return api.search(CoworkerInvoiceHistory_Name="Called")["TotalItems"]


def test_every_wrong_property_is_named(api):
    answer = api.create(Name="  ", Description="x", CoworkerInvoiceId=5, IsProblem="yes")
    errors = {error["PropertyName"]: error["Message"] for error in answer.json()["Errors"]}
    assert answer.status_code == 400
    assert errors == {
        "CoworkerInvoiceId": "was not found",
        "Name": "is a required field",
        "IsProblem": "is not valid",
    }


DEEP = b"[" * 20_000 + b"]" * 20_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"null",
        b"{",
        DEEP,
        b'{"Name": [1], "Description": {"a": 1}}',
        b'{"Name": %s}' % DEEP[19_500:-19_500],
    ],
)
def test_a_body_of_another_kind_answers_400_and_names_what_is_required(api, body):
    answer = api.http.post(HISTORY_LIST.path, content=body)
    assert answer.status_code == 400
    assert {error["PropertyName"] for error in answer.json()["Errors"]} == {"CoworkerInvoiceId", "Name", "Description"}
    answer = api.http.put(HISTORY_LIST.path, content=body)
    assert (answer.status_code, answer.json()["Errors"][0]["PropertyName"]) == (400, "Id")


def test_a_created_row_is_stamped_now_and_flags_are_kept(api, entry):
    api.create(**entry, IsProblem=True)
    record = api.search(CoworkerInvoiceHistory_Name="Called")["Records"][0]
    assert record["IsProblem"] is True
    assert record["Notify"] is False
    assert record["UpdatedOn"] == record["CreatedOn"] == "2025-06-30T12:00:00Z"
    assert api.sandbox.store.notified_ids == []


def test_put_changes_a_row_and_moves_updated_on_and_delete_leaves_no_trace(api, entry):
    entry_id = api.create(**entry).json()["Value"]["Id"]
    api.sandbox.clock.advance(90)
    assert api.http.put(HISTORY_LIST.path, json=entry | {"Id": entry_id, "Description": "Will pay."}).status_code == 200
    record = api.search(CoworkerInvoiceHistory_Name="Called")["Records"][0]
    assert (record["Description"], record["UpdatedOn"]) == ("Will pay.", "2025-06-30T12:01:30Z")
    assert record["CreatedOn"] == "2025-06-30T12:00:00Z"
    assert api.http.delete(f"{HISTORY_LIST.path}/{entry_id}").status_code == 200
    assert made(api) == 0
    assert entry_id in api.sandbox.store.deleted_ids
    assert api.http.delete(f"{HISTORY_LIST.path}/{entry_id}").status_code == 404
    assert api.http.put(HISTORY_LIST.path, json=entry | {"Id": entry_id}).status_code == 404


def test_answers_500_before_the_row_is_made(api, entry):
    api.sandbox.faults.inject("write_500_before")
    answer = api.create(**entry)
    assert (answer.status_code, "Ooops!" in answer.text, made(api)) == (500, True, 0)
    assert api.create(**entry).status_code == 200


def test_answers_500_after_the_row_is_made(api, entry):
    api.sandbox.faults.inject("write_500_after")
    assert api.create(**entry, Notify=True).status_code == 500
    assert made(api) == len(api.sandbox.store.notified_ids) == 1


def test_answers_200_without_success(api, entry):
    api.sandbox.faults.inject("write_refused")
    answer = api.create(**entry)
    assert (answer.status_code, answer.json()["WasSuccessful"], made(api)) == (200, False, 0)


@pytest.mark.parametrize(("fault", "rows"), [("write_reset_before", 0), ("write_reset_after", 1)])
def test_a_write_is_reset_before_or_after_the_row_is_made(api, entry, fault, rows):
    api.sandbox.faults.inject(fault)
    with pytest.raises(httpx.NetworkError):
        api.create(**entry)
    assert made(api) == rows


@pytest.mark.parametrize(("fault", "rows"), [("write_late_before", 0), ("write_late_after", 1)])
def test_a_write_times_out_before_or_after_the_row_is_made(api, entry, fault, rows):
    api.sandbox.faults.inject(fault)
    api.sandbox.knobs.slow_seconds = 0.4
    with pytest.raises(httpx.ReadTimeout):
        api.http.post(HISTORY_LIST.path, json=entry, timeout=0.1)
    assert made(api) == rows


def test_a_write_is_made_although_its_answer_is_cut_short(api, entry):
    api.sandbox.faults.inject("write_cut_after")
    answer = api.create(**entry)
    assert (answer.status_code, made(api)) == (200, 1)
    assert not answer.text.endswith("}")


def test_a_write_is_made_after_the_client_has_given_up(api, entry):
    api.sandbox.faults.inject("write_made_late")
    api.sandbox.knobs.slow_seconds = 0.3
    with pytest.raises(httpx.ReadTimeout):
        api.http.post(HISTORY_LIST.path, json=entry, timeout=0.1)
    assert made(api) == 0
    time.sleep(0.4)
    assert made(api) == 1
