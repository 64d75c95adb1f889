"""A test per fault: what a reader meets when it happens."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from pipelines.sandbox.knobs import Knobs

JUNE = {"from_CoworkerInvoiceHistory_UpdatedOn": "2025-06-01T00:00", "orderBy": "UpdatedOn"}


def spoiled(api, fault, **params):
    """The answer with the fault; the one after it is well."""
    api.sandbox.faults.inject(fault)
    answer = api.get(**params)
    assert api.sandbox.requests.data()[-1].fault == fault
    assert api.get(**params).status_code == 200
    assert api.sandbox.requests.data()[-1].fault == ""
    return answer


def test_409_with_retry_after_in_seconds_and_no_body(api):
    api.sandbox.knobs.throttle_wait_seconds = 1.2
    answer = spoiled(api, "throttle_409")
    assert (answer.status_code, answer.headers["Retry-After"], answer.content) == (409, "2", b"")


def test_409_with_retry_after_as_a_date_by_the_servers_clock(api):
    api.sandbox.knobs.throttle_wait_seconds = 7
    answer = spoiled(api, "throttle_date")
    until = parsedate_to_datetime(answer.headers["Retry-After"])
    assert answer.status_code == 409
    assert until - parsedate_to_datetime(answer.headers["Date"]) == timedelta(seconds=7)


def test_429_with_a_fractional_wait_in_the_body_and_no_header(api):
    api.sandbox.knobs.throttle_wait_seconds = 2.25
    answer = spoiled(api, "throttle_429")
    assert (answer.status_code, "Wait 2.250 seconds" in answer.text) == (429, True)
    assert "Retry-After" not in answer.headers


def test_503_with_retry_after(api):
    answer = spoiled(api, "throttle_503")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_409_with_nothing_at_all(api):
    answer = spoiled(api, "throttle_bare")
    assert (answer.status_code, answer.content) == (409, b"")
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_errors_are_html(api, status):
    answer = spoiled(api, f"error_{status}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Retry-After" not in answer.headers


def test_the_connection_is_reset_before_any_answer(api):
    api.sandbox.faults.inject("reset")
    with pytest.raises(httpx.ReadError):
        api.get()
    assert api.sandbox.requests.data()[-1].status == 0
    assert api.get().status_code == 200


def test_the_connection_is_reset_in_the_middle_of_the_body(api):
    api.sandbox.faults.inject("reset_mid_body")
    parts = []
    with api.http.stream("GET", "/api/billing/coworkerinvoicehistories", params={"size": 1000}) as answer:
        with pytest.raises(httpx.ReadError):
            parts.extend(answer.iter_raw())
        assert answer.status_code == 200
    # `extend` keeps what came before the line broke.
    assert 0 < sum(map(len, parts)) < int(answer.headers["Content-Length"])


def test_json_is_cut_short_though_the_length_fits(api):
    answer = spoiled(api, "truncated_json")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_login_page_comes_with_200(api):
    answer = spoiled(api, "login_page")
    assert (answer.status_code, "Sign in" in answer.text) == (200, True)
    assert answer.headers["Content-Type"].startswith("text/html")


def test_records_are_null(api):
    body = spoiled(api, "null_records").json()
    assert body.pop("Records") is None
    assert body["TotalItems"] == len(api.sandbox.store)


def test_an_answer_comes_late(api):
    api.sandbox.faults.inject("slow")
    api.sandbox.knobs.slow_seconds = 0.3
    with pytest.raises(httpx.ReadTimeout):
        api.http.get("/api/billing/coworkerinvoicehistories", timeout=0.1)
    assert api.get().status_code == 200


def test_all_filters_are_ignored(api):
    assert spoiled(api, "ignored_filter", **JUNE).json()["TotalItems"] == len(api.sandbox.store)


def test_the_page_is_ignored(api):
    body = spoiled(api, "ignored_page", page=3, size=10).json()
    assert (body["CurrentPage"], body["Records"][0]["Id"]) == (1, api.ids(size=1)[0])


def test_another_page_size_is_used_and_said(api):
    body = spoiled(api, "other_page_size", size=10).json()
    assert (body["CurrentPageSize"], len(body["Records"])) == (5, 5)


def test_the_order_is_reversed(api):
    rows = [record["UpdatedOn"] for record in spoiled(api, "reversed_order", **JUNE).json()["Records"]]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] != rows[-1]


def test_there_is_no_order(api):
    body = spoiled(api, "unordered", **JUNE, size=1000).json()
    rows = [record["UpdatedOn"] for record in body["Records"]]
    assert rows not in (sorted(rows), sorted(rows, reverse=True))
    assert sorted(record["Id"] for record in body["Records"]) == sorted(api.ids(**JUNE, size=1000))


def test_deep_pages_are_forbidden(api):
    api.sandbox.knobs.deep_page_403_after = 3
    assert [api.get(page=page, size=10).status_code for page in (1, 3, 4)] == [200, 200, 403]


def test_a_list_by_dates_alone_may_be_refused(api):
    api.sandbox.knobs.required_filter = "CoworkerInvoiceHistory_CoworkerInvoice"
    answer = api.get(**JUNE)
    assert (answer.status_code, answer.json()["Message"]) == (
        400,
        "Missing required filter: CoworkerInvoiceHistory_CoworkerInvoice",
    )
    assert api.get(CoworkerInvoiceHistory_CoworkerInvoice=1).status_code == 200


def test_a_skewed_clock_is_seen_in_the_date_header(api):
    api.sandbox.clock.set(datetime.now(UTC) + timedelta(hours=1))
    ahead = parsedate_to_datetime(api.get(size=1).headers["Date"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead <= timedelta(minutes=60)


def test_rates_follow_the_seed_and_one_fault_does_not_move_another(start_sandbox, sandbox_operator, connect):
    def statuses(**rates):
        one = connect(start_sandbox(sandbox_operator, Knobs(seed=5, **rates)))
        return [one.get(size=1).status_code for _ in range(60)]

    first = statuses(error_500_rate=0.2)
    both = statuses(error_500_rate=0.2, throttle_409_rate=0.2)
    assert first == statuses(error_500_rate=0.2)
    assert 4 <= first.count(500) <= 24
    assert first != both
    assert both.count(409) > 3


def test_a_fault_that_does_not_exist_is_refused(sandbox):
    with pytest.raises(ValueError, match="no fault"):
        sandbox.faults.inject("error_418")


def test_an_empty_answer_to_a_range(api):
    answer = spoiled(api, "empty", **JUNE).json()
    assert (answer["Records"], answer["TotalItems"], answer["HasNextPage"]) == ([], 0, False)


def test_a_page_that_claims_to_be_all(api):
    answer = spoiled(api, "claims_all", **JUNE, size=5).json()
    assert (len(answer["Records"]), answer["TotalItems"], answer["HasNextPage"]) == (5, 5, False)
