"""The client against servers that drip, swell, or let one request through a second: bounded, and it adapts."""

import gzip
import re
import socket
import threading
from contextlib import contextmanager

import pytest

from pipelines.errors import PipelineError, RefusedError, TryAgainLaterError, WrongUseError
from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.failures import AnswerTooLargeError
from pipelines.extract.histories import HISTORIES
from pipelines.extract.order import Dialect
from pipelines.extract.seek import seek
from pipelines.extract.windows import MINUTE, Window, floor_minute

ONE = {"page": "1", "size": "1"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


def ask(settings, fake_time):
    with NexudusClient(settings, clock=fake_time.clock, sleep=fake_time.sleep) as client:
        client.get(HISTORIES.path, ONE)


@contextmanager
def raw_server(answer):
    """A server on a socket: `answer(connection, request)` sends what it likes until it returns."""
    listener = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection):
        with connection:
            try:
                while request := connection.recv(65_536):
                    answer(connection, request, is_over)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        is_over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def dripping(piece, first=b""):
    def answer(connection, _, is_over):
        connection.sendall(first)
        while not is_over.wait(0.005):
            connection.sendall(piece)

    return answer


@pytest.mark.fault(
    "headers, 1xx answers or a body that drip for ever", "any answer, the login's too", "exact after the next run"
)
@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{", b" "),
    ],
    ids=["headers", "1xx", "body"],
)
@pytest.mark.parametrize("login", [{"access_token": "t"}, {}], ids=["data", "login"])
def test_what_drips_is_given_up_at_one_deadline(settings_for, fake_time, first, piece, login):
    with raw_server(dripping(piece, first)) as url:
        settings = settings_for(url, timeout_seconds=0.02, **login)
        with NexudusClient(settings, clock=fake_time.clock, sleep=fake_time.sleep) as client:
            with pytest.raises(TryAgainLaterError, match="NEXUDUS_TIMEOUT_SECONDS"):
                client.get(HISTORIES.path, ONE)
            assert client.request_count == 6


@pytest.mark.fault("headers of megabytes, one or a hundred thousand", "any answer", "exact after the next run")
@pytest.mark.parametrize("head", [b"X: " + b"x" * 2_000_000, b"\r\n".join([b"X: y"] * 100_000)], ids=["long", "many"])
def test_headers_without_end_are_not_read(settings_for, fake_time, head):
    def answer(connection, *_):
        connection.sendall(HEAD + head + b"\r\n\r\n{}")

    with raw_server(answer) as url, pytest.raises(TryAgainLaterError, match="the connection broke"):
        ask(settings_for(url, access_token="t"), fake_time)


def sending(headers, body):
    def answer(connection, *_):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)

    return answer


@pytest.mark.fault("a few bytes unpack to more than NEXUDUS_LARGEST_ANSWER_MB", "any answer", "refused with a sentence")
def test_an_answer_that_unpacks_to_more_than_is_allowed_is_stopped(settings_for, fake_time):
    bomb = gzip.compress(b" " * 30_000_000)
    with raw_server(sending("Content-Encoding: gzip\r\n", bomb)) as url:
        settings = settings_for(url, access_token="t", largest_answer_mb=1)
        with pytest.raises(AnswerTooLargeError, match=r"larger than 1 MB.*NEXUDUS_PAGE_SIZE"):
            ask(settings, fake_time)


def test_a_coding_within_a_coding_is_not_unpacked(settings_for, fake_time):
    bomb = gzip.compress(gzip.compress(b" " * 30_000_000))
    with raw_server(sending("Content-Encoding: gzip, gzip\r\n", bomb)) as url:
        settings = settings_for(url, access_token="t")
        with pytest.raises(TryAgainLaterError):
            ask(settings, fake_time)


@pytest.mark.fault("a page larger than NEXUDUS_LARGEST_ANSWER_MB", "first page of any range", "exact")
def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(small_sandbox, client_for, settings_for):
    for entry_id in [entry["Id"] for entry in small_sandbox.store.truth()][:100]:
        small_sandbox.store.update(entry_id, description="x" * 20_000)
    client = client_for(small_sandbox, largest_answer_mb=1, page_size=600)
    source = EntitySource(client, settings_for(small_sandbox.base_url, page_size=600), HISTORIES)
    answer = source.search()
    assert 0 < answer.record_count <= answer.page_size < 600
    assert answer.has_next_page
    assert source.search().page_size == answer.page_size


@pytest.mark.fault("a page larger than NEXUDUS_LARGEST_ANSWER_MB", "a later page of a full minute", "exact")
def test_a_later_page_that_is_too_large_is_asked_for_in_smaller_ones(small_sandbox, client_for, settings_for):
    store, dialect = small_sandbox.store, Dialect(100)
    small_sandbox.clock.freeze(small_sandbox.clock.now_at())
    first = {entry["Id"] for entry in store.truth()}
    store.collect(store.until, 250)
    ids = sorted({entry["Id"] for entry in store.truth()} - first)
    for entry_id in ids[-120:]:
        store.update(entry_id, description="x" * 20_000)
    for entry_id in ids[:-120]:
        store.update(entry_id, description="x")
    minute = floor_minute(next(row["UpdatedOn"] for row in store.truth() if row["Id"] == ids[0]))
    client = client_for(small_sandbox, largest_answer_mb=1)
    source = EntitySource(client, settings_for(small_sandbox.base_url, page_size=100), HISTORIES)

    steps = list(seek(source, UPDATED_ON, Window(minute - MINUTE, minute + MINUTE), dialect))

    assert {record.id for step in steps for record in step.answer.records} >= set(ids)
    assert dialect.open_minutes == []
    assert [step.closed for step in steps if step.closed][-1].end == minute + MINUTE


@pytest.mark.fault("429 or 503 above a rate that is not named", "every answer", "exact")
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("seconds", [1, 5])
def test_the_pace_adapts_to_a_limiter_that_names_no_limit(settings_for, fake_time, status, seconds):
    went_at, refused = [], []

    def answer(connection, *_):
        now = fake_time.now.timestamp()
        if went_at and now - went_at[-1] < seconds:
            refused.append(now)
            connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
        else:
            went_at.append(now)
            connection.sendall(HEAD + b"\r\n{}")

    with raw_server(answer) as url:
        settings = settings_for(url, access_token="t", request_spacing_ms=100)
        with NexudusClient(settings, clock=fake_time.clock, sleep=fake_time.sleep) as client:
            for _ in range(300):
                client.get(HISTORIES.path, ONE)
    assert len(refused) < 300 / 10
    assert went_at[-1] - went_at[0] < 300 * seconds * 2


@pytest.fixture
def through_proxy(monkeypatch):
    def use(url):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

    return use


@pytest.mark.fault("a proxy that does not answer", "any request", "exact after the next run")
def test_a_dead_proxy_is_named_and_not_the_address(settings_for, fake_time, through_proxy):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    through_proxy(f"http://me:canary@127.0.0.1:{port}")
    for url in ("https://spaces.example", "http://spaces.example"):
        with pytest.raises(TryAgainLaterError, match=r"the proxy in HTTP_PROXY.*does not answer") as caught:
            ask(settings_for(url, allow_plain_http=True), fake_time)
        assert "NEXUDUS_BASE_URL" not in str(caught.value)
        assert "canary" not in str(caught.value)


@pytest.mark.fault("401 or 407 of a proxy", "any request", "refused with a sentence")
@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("url", ["https://spaces.example", "http://spaces.example"])
def test_a_proxy_that_wants_a_login_is_not_taken_for_the_api(settings_for, fake_time, through_proxy, status, url):
    def answer(connection, *_):
        head = f"HTTP/1.1 {status} No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode())

    with raw_server(answer) as proxy:
        through_proxy(proxy)
        with pytest.raises(WrongUseError, match=r"HTTPS_PROXY or ALL_PROXY.*password into"):
            ask(settings_for(url, allow_plain_http=True), fake_time)


@pytest.mark.fault("401 on a token just renewed", "any answer", "exact")
def test_one_stray_401_on_a_new_token_is_no_missing_role(small_sandbox, client_for):
    client = client_for(small_sandbox)
    client.log_in()
    refused = {"left": 2}
    ask = client._send

    def stray(question, headers):
        answer = ask(question, headers)
        if not question.is_for_token and refused["left"]:
            refused["left"] -= 1
            return type(answer)(401, answer.headers, b"", answer.answered_at)
        return answer

    client._send = stray
    assert client.get(HISTORIES.path, ONE).status == 200
    refused["left"] = 99
    with pytest.raises(RefusedError):
        client.get(HISTORIES.path, ONE)


@pytest.mark.fault("a message of the API repeats the request", "any refusal", "refused with a sentence")
@pytest.mark.parametrize("status", [400, 402, 422])
def test_a_message_that_echoes_the_request_carries_no_token_and_no_name(settings_for, fake_time, status):
    def echo(connection, request, _):
        length = re.search(rb"content-length: (\d+)", request, re.IGNORECASE)
        while length and len(request.split(b"\r\n\r\n", 1)[1]) < int(length[1]):
            request += connection.recv(65_536)
        body = b"Not accepted: " + request.split(b"\r\n\r\n")[-1] + request
        connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    entry = {"Name": "Zoë Canary", "Description": 'called "Zoë" again'}
    with raw_server(echo) as url:
        settings = settings_for(url, access_token="canary-token")
        with NexudusClient(settings, clock=fake_time.clock, sleep=fake_time.sleep) as client:
            for ask_for in (lambda: client.get(HISTORIES.path, ONE), lambda: client.post(HISTORIES.path, entry)):
                with pytest.raises(PipelineError, match="Not accepted") as caught:
                    ask_for()
                told = f"{caught.value} {vars(caught.value)}"
                assert not [word for word in ("canary", "Canary", "Zo") if word in told], told
