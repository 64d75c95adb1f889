"""What an answer means, on values alone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import BrokenPromiseError, RefusedError, WrongUseError
from pipelines.extract import failures
from pipelines.extract.failures import Verdict
from pipelines.extract.histories import CREATE_ROLE, HISTORIES

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Verdict.DONE),
        (204, Verdict.DONE),
        (302, Verdict.PERMANENT),
        (400, Verdict.PERMANENT),
        (401, Verdict.RENEW_TOKEN),
        (403, Verdict.PERMANENT),
        (404, Verdict.PERMANENT),
        (409, Verdict.THROTTLED),
        (408, Verdict.TRANSIENT),
        (421, Verdict.TRANSIENT),
        (425, Verdict.TRANSIENT),
        (429, Verdict.THROTTLED),
        (500, Verdict.TRANSIENT),
        (503, Verdict.TRANSIENT),
    ],
)
def test_each_status_has_one_verdict(status, expected):
    assert failures.verdict(status) is expected


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"retry-after": "7"}, b"", 7),
        ({"retry-after": " 0.5 "}, b"", 0.5),
        ({"retry-after": "-3"}, b"", None),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:09 GMT"}, b"", 9),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, b"", None),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:09"}, b"", 9),
        ({"retry-after": "soon"}, b"", None),
        ({"retry-after": "1e308"}, b"", None),
        ({"retry-after": "90000"}, b"", None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -1200"}, b"", None),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:09 -2500"}, b"", None),
        ({"retry-after": "inf"}, b"", None),
        ({"retry-after": "nan"}, b"Wait 4 seconds", 4),
        ({"retry-after": "2"}, b"Wait 9 seconds", 2),
        ({}, b"Too many requests. Wait 3.25 seconds and retry", 3.25),
        ({}, b'{"Message":"wait 1 second"}', 1),
        ({}, b"Wait for it", None),
        ({}, b"", None),
    ],
)
def test_the_wait_is_read_in_every_form(headers, body, expected):
    assert failures.wait_asked_for(headers, body, NOW) == expected


@given(st.integers(1, 2000))
def test_backoff_stays_within_its_bound(count):
    assert 0 <= failures.backoff_seconds(count) <= min(30.0, 2.0 ** min(count - 1, 10))


@given(st.lists(st.booleans(), max_size=3000))
def test_retries_never_exceed_a_third_and_twenty(failing):
    requests = retries = 0
    for fails in failing:
        requests += 1
        while fails and failures.may_retry(retries, requests):
            requests += 1
            retries += 1
    assert retries <= 20 + requests / 3


@pytest.mark.parametrize(
    ("method", "status", "body", "page", "kind", "words"),
    [
        ("GET", 403, b"", 1, RefusedError, "`CoworkerInvoiceHistory-List`"),
        ("GET", 401, b"", 1, RefusedError, "`CoworkerInvoiceHistory-List`"),
        ("GET", 401, b"", 9, RefusedError, "`CoworkerInvoiceHistory-List`"),
        ("POST", 403, b"", 1, RefusedError, "`CoworkerInvoiceHistory-Create`"),
        ("GET", 403, b"", 2, failures.DeepPageError, "page 2"),
        ("GET", 400, b'{"Message":"Missing required filter: X"}', 1, failures.MissingFilterError, "filter: X"),
        ("GET", 400, b'{"Message":"No such field"}', 1, failures.BadRequestError, "No such field"),
        ("GET", 404, b"", 1, failures.NotFoundError, "NEXUDUS_BASE_URL"),
        ("GET", 302, b"", 1, WrongUseError, "https://other.example/login:"),
        ("GET", 418, b"", 1, BrokenPromiseError, "418: look for a proxy"),
        ("GET", 414, b"too long", 1, BrokenPromiseError, "(too long): set a smaller NEXUDUS_PAGE_SIZE"),
    ],
)
def test_a_refusal_says_what_to_do(method, status, body, page, kind, words):  # noqa: PLR0917 - columns of the table
    location, role = "https://other.example/login?token=abc", CREATE_ROLE if method == "POST" else HISTORIES.list_role
    error = failures.refusal(method, HISTORIES.path, status, body, role=role, page=page, location=location)
    assert type(error) is kind
    assert words in str(error)
    assert "abc" not in str(error)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"Message": "Name: is a\\n required field"}', "Name: is a required field"),
        (b'{"error":"invalid_grant"}', "invalid_grant"),
        (b"plain words", "plain words"),
        (b"<!DOCTYPE html><h1>Ooops</h1>", ""),
        (b"", ""),
        (b"\xff" * 3, "\ufffd\ufffd\ufffd"),
        (b"x" * 5000, "x" * 200),
        (b"[" * 9_999, "[" * 200),
        ('{"Message": "\\u001b[2J\u202e\x9bgone"}'.encode(), "\ufffd[2J\ufffd\ufffdgone"),
    ],
)
def test_an_error_body_becomes_one_short_line(body, expected):
    assert failures.message_in(body) == expected


@pytest.mark.parametrize(
    ("body", "cut"),
    [
        (b'{"a":1}', False),
        (b' {"a":1}\n', False),
        (b"", False),
        (b"<html>", False),
        (b'{"a":', True),
        (b'{"a":[{"b":1}', True),
        (b'{"a":1}}', False),
        (rb'{"a":"\ud83d"}', False),
        (b'{"a":"x\ny"}', False),
        (b'{"a":' + b"[" * 1500 + b"]" * 1500 + b"}", False),
    ],
)
def test_a_body_that_ends_in_the_middle_is_seen(body, cut):
    assert failures.is_cut_short(body) is cut
