"""The client against a server that misbehaves: what is asked again, how long it waits, what it says in the end."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.errors import RefusedError, TryAgainLaterError, WrongUseError
from pipelines.extract import exchanges, failures
from pipelines.extract.client import DeepPageError, NexudusClient
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.failures import UncertainWriteError
from pipelines.extract.histories import CREATE_ROLE, HISTORIES

ONE = {"page": "1", "size": "1"}
ENTRY = {"CoworkerInvoiceId": 1, "Name": "n", "Description": "d"}
THROTTLES = ["throttle_409", "throttle_date", "throttle_429", "throttle_503", "throttle_bare"]
PASSING = [*THROTTLES, "error_500", "error_502", "error_503", "reset", "reset_mid_body", "truncated_json"]


@pytest.fixture
def ready(small_sandbox, client_for):
    """A sandbox, and a client that has logged in."""
    client = client_for(small_sandbox)
    client.get(HISTORIES.path, ONE)
    return small_sandbox, client


def ask_often(client, times):
    for _ in range(times):
        client.get(HISTORIES.path, ONE)


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_asked_again(ready, fault):
    sandbox, client = ready
    sandbox.faults.inject(fault, times=2)
    assert client.get(HISTORIES.path, ONE).status == 200
    assert client.retry_count == 2
    assert (client.request_count, client.data_request_count) == (5, 4)
    assert len(sandbox.requests) == 5


@pytest.mark.parametrize("fault", THROTTLES[:-1])
@pytest.mark.parametrize("asked", [3, 2.5])
def test_the_wait_that_was_asked_for_is_kept(ready, fake_time, fault, asked):
    sandbox, client = ready
    sandbox.knobs.throttle_wait_seconds = asked
    sandbox.faults.inject(fault)
    before = fake_time.now
    client.get(HISTORIES.path, ONE)
    waited = (fake_time.now - before).total_seconds()
    assert asked <= waited <= asked + 2  # dates and headers have whole seconds
    assert client.waited_seconds == pytest.approx(waited)


def test_a_throttle_of_more_than_five_minutes_ends_the_run(ready, fake_time):
    sandbox, client = ready
    sandbox.knobs.throttle_wait_seconds = 900
    sandbox.faults.inject("throttle_409")
    with pytest.raises(failures.ThrottledError, match="resumable: throttled by the API for another 900 s"):
        client.get(HISTORIES.path, ONE)
    assert fake_time.naps == []


def test_the_pause_of_one_client_holds_the_others_of_the_data_directory(ready, client_for):
    sandbox, _ = ready
    paced = {"request_spacing_ms": 1}
    first, second = client_for(sandbox, **paced), client_for(sandbox, **paced)
    sandbox.knobs.throttle_wait_seconds = 900
    sandbox.faults.inject("throttle_409")
    for one in (first, second):
        with pytest.raises(failures.ThrottledError):
            one.get(HISTORIES.path, ONE)
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize("fault", ["error_500", "reset", "throttle_bare"])
def test_what_does_not_pass_is_given_up_after_six_attempts(ready, fault):
    sandbox, client = ready
    setattr(sandbox.knobs, f"{fault}_rate", 1.0)
    with pytest.raises(TryAgainLaterError):
        client.get(HISTORIES.path, ONE)
    assert client.retry_count == 5


def test_retries_stay_within_a_third_of_all_requests(ready, monkeypatch):
    sandbox, client = ready
    monkeypatch.setattr(exchanges, "_ATTEMPTS", 100)  # so that no single question ends it
    sandbox.knobs.error_500_rate = 0.7
    with pytest.raises(TryAgainLaterError, match="more than a third"):
        ask_often(client, 1000)
    assert client.retry_count <= 20 + client.request_count / 3


def test_faults_now_and_then_do_not_end_a_long_run(ready):
    sandbox, client = ready
    sandbox.knobs.error_500_rate = sandbox.knobs.reset_rate = sandbox.knobs.throttle_409_rate = 0.02
    ask_often(client, 400)
    assert 5 < client.retry_count <= 20 + client.request_count / 10


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_role_is_named_and_not_asked_for_again(ready, status):
    sandbox, client = ready
    sandbox.knobs.roles, sandbox.knobs.missing_role_status = "CoworkerInvoice-List", status
    before = len(sandbox.requests)
    with pytest.raises(RefusedError, match="`CoworkerInvoiceHistory-List`"):
        client.get(HISTORIES.path, ONE, role=HISTORIES.list_role)
    # A 401 may be an ended token: one renewal and two more tries. A 403 is neither.
    assert len(sandbox.requests) - before == (4 if status == 401 else 1)
    assert client.retry_count == 0


def test_403_on_a_later_page_is_an_error_of_its_own(ready):
    sandbox, client = ready
    sandbox.knobs.deep_page_403_after = 58
    with pytest.raises(DeepPageError):
        client.get(HISTORIES.path, {"page": "59", "size": "1"})
    assert client.retry_count == 0


def test_a_missing_required_filter_is_an_error_of_its_own(ready):
    sandbox, client = ready
    sandbox.knobs.required_filter = "CoworkerInvoiceHistory_CoworkerInvoice"
    with pytest.raises(failures.MissingFilterError, match="CoworkerInvoiceHistory_CoworkerInvoice"):
        client.get(HISTORIES.path, ONE)
    assert client.retry_count == 0


@pytest.mark.parametrize(
    "fault",
    ["write_500_before", "write_500_after", "write_reset_before", "write_reset_after", *THROTTLES],
)
def test_a_write_in_doubt_is_never_sent_again(ready, fault):
    sandbox, client = ready
    invoice_id = next(iter(sandbox.store.invoices))
    before = len(sandbox.store)
    sandbox.faults.inject(fault)
    with pytest.raises(UncertainWriteError, match="look whether the entry is there"):
        client.post(HISTORIES.path, ENTRY | {"CoworkerInvoiceId": invoice_id})
    assert sum(one.method == "POST" and one.path == HISTORIES.path for one in sandbox.requests.seen) == 1
    assert len(sandbox.store) == before + fault.endswith("_after")


def test_a_write_that_times_out_is_in_doubt(small_sandbox, client_for):
    client = client_for(small_sandbox, timeout_seconds=0.5)
    client.get(HISTORIES.path, ONE)
    small_sandbox.knobs.slow_seconds = 1.5
    small_sandbox.faults.inject("write_late_after")
    with pytest.raises(UncertainWriteError, match="NEXUDUS_TIMEOUT_SECONDS"):
        client.post(HISTORIES.path, ENTRY | {"CoworkerInvoiceId": next(iter(small_sandbox.store.invoices))})


def test_a_read_that_times_out_is_asked_again(small_sandbox, client_for):
    client = client_for(small_sandbox, timeout_seconds=0.5)
    client.get(HISTORIES.path, ONE)
    small_sandbox.knobs.slow_seconds = 1.5
    small_sandbox.faults.inject("slow")
    assert client.get(HISTORIES.path, ONE).status == 200
    assert client.retry_count == 1


def test_the_server_s_clock_counts_not_ours(ready):
    sandbox, client = ready
    sandbox.clock.set(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))
    reply = client.get(HISTORIES.path, ONE)
    assert reply.answered_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert timedelta() <= client.server_now(HISTORIES.path) - reply.answered_at < timedelta(seconds=2)


def test_the_server_s_clock_is_asked_for_by_the_smallest_request(small_sandbox, client_for):
    token = small_sandbox.tokens.issue()
    client = client_for(small_sandbox, access_token=token)
    assert abs(client.server_now(HISTORIES.path) - small_sandbox.clock.now_at()) < timedelta(seconds=2)
    assert [one.params for one in small_sandbox.requests.seen] == [ONE]


def test_without_a_date_header_our_clock_counts(ready, fake_time):
    sandbox, client = ready
    sandbox.knobs.date_header = False
    assert client.get(HISTORIES.path, ONE).answered_at == fake_time.now


def test_four_threads_share_one_client(ready):
    sandbox, client = ready
    sandbox.knobs.error_503_rate = 0.02
    sandbox.knobs.token_dies_after_requests = 30
    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(lambda _: client.get(HISTORIES.path, ONE).status, range(120)))
    assert statuses == [200] * 120
    assert client.request_count == len(sandbox.requests)
    assert client.data_request_count == sandbox.requests.data_count


def test_a_new_token_that_ends_while_its_question_waits_is_no_missing_role(small_sandbox, settings_for):
    def others_use_it_up(_):
        client.get(HISTORIES.path, ONE)
        small_sandbox.tokens.end_access_tokens()

    with NexudusClient(settings_for(small_sandbox.base_url), sleep=others_use_it_up) as client:
        client.get(HISTORIES.path, ONE)
        small_sandbox.tokens.end_access_tokens()
        small_sandbox.faults.inject("error_500", after=1)
        assert client.get(HISTORIES.path, ONE).status == 200
    assert [one.status for one in small_sandbox.requests.seen][2:] == [401, 200, 500, 200, 401, 200, 200]


def test_a_missing_role_to_write_is_named_and_the_entry_not_sent_again(ready):
    sandbox, client = ready
    sandbox.knobs.roles = "CoworkerInvoiceHistory-List"
    before = len(sandbox.requests)
    with pytest.raises(RefusedError, match="`CoworkerInvoiceHistory-Create`"):
        client.post(HISTORIES.path, ENTRY, role=CREATE_ROLE)
    assert [one.status for one in list(sandbox.requests.seen)[before:]] == [401, 200]


def test_a_paced_client_is_never_throttled(small_sandbox, settings_for):
    small_sandbox.knobs.enforce_limits = True
    with NexudusClient(settings_for(small_sandbox.base_url, request_spacing_ms=110)) as client:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: client.get(HISTORIES.path, ONE), range(15)))
        assert client.retry_count == 0
    assert {one.status for one in small_sandbox.requests.seen} == {200}


# Addresses that are no API


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "https://does-not-exist.invalid"])
def test_an_unreachable_host_is_named(settings_for, fake_time, address):
    url = address.format(port=closed_port())
    with NexudusClient(settings_for(url), clock=fake_time.clock, sleep=fake_time.sleep) as client:
        with pytest.raises(TryAgainLaterError, match=rf"{url.split('//')[1]} cannot be reached.*NEXUDUS_BASE_URL"):
            client.get(HISTORIES.path, ONE)
        assert client.request_count == 2


@pytest.mark.parametrize(
    "url",
    ["spaces.nexudus.com", "ftp://host", "https://", "https://host/api", "https://host?x=1", "https://me:pw@host", ""],
)
def test_an_address_with_a_path_or_without_a_scheme_is_refused(settings_for, url):
    with pytest.raises(ValueError, match="base_url"):
        settings_for(url)


@pytest.mark.parametrize("url", ["https://host:port", "https://[::1", "https://ho st", "http://host:99999"])
def test_an_address_that_cannot_be_one_is_named(settings_for, fake_time, url):
    with pytest.raises((WrongUseError, ValueError, TryAgainLaterError), match=r"(?i)base_url"):
        ask(settings_for(url), fake_time)


@contextmanager
def other_server(status, headers, body, context=None):
    """A server that is not Nexudus: every request gets the same answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_CONNECT = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up at our certificate is the point of one test
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(settings, fake_time):
    with NexudusClient(settings, clock=fake_time.clock, sleep=fake_time.sleep) as client:
        return client.get(HISTORIES.path, ONE)


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (200, {}, WrongUseError),
        (301, {"Location": "https://elsewhere.example/api/token?secret=1"}, WrongUseError),
        (404, {}, WrongUseError),
        (502, {}, TryAgainLaterError),
    ],
)
def test_another_server_s_page_is_not_taken_for_the_api(settings_for, fake_time, status, headers, error):
    with (
        other_server(status, headers, b"<html><body>Welcome</body></html>") as port,
        pytest.raises(error) as caught,
    ):
        ask(settings_for(f"http://127.0.0.1:{port}"), fake_time)
    assert "secret=1" not in str(caught.value)
    assert error is TryAgainLaterError or "NEXUDUS_BASE_URL" in str(caught.value)


def test_another_server_s_404_does_not_mean_that_nothing_is_there(settings_for):
    with other_server(404, {}, b"<html>Not here</html>") as port:
        settings = settings_for(f"http://127.0.0.1:{port}", access_token="t")
        with NexudusClient(settings) as client, pytest.raises(failures.NotFoundError, match="NEXUDUS_BASE_URL"):
            EntitySource(client, settings, HISTORIES).search()


def test_a_redirect_of_data_is_not_followed(settings_for, fake_time):
    headers = {"Location": "https://me:canary@elsewhere.example/login/canary-token?returnUrl=1"}
    with (
        other_server(302, headers, b"") as port,
        pytest.raises(WrongUseError, match=r"https://elsewhere\.example/login/…: set NEXUDUS_BASE_URL"),
    ):
        ask(settings_for(f"http://127.0.0.1:{port}", access_token="canary-token"), fake_time)


def test_a_proxy_that_answers_with_a_page_is_named(settings_for, fake_time, monkeypatch):
    with other_server(403, {}, b"<html>Blocked by policy</html>") as port:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(TryAgainLaterError, match="the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY refuses"):
            ask(settings_for("https://spaces.example"), fake_time)


def test_a_proxy_that_is_none_is_named_without_its_password(settings_for, fake_time, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "gopher://me:proxy-password@host")
    with pytest.raises(WrongUseError, match="HTTPS_PROXY") as caught:
        ask(settings_for("https://spaces.example"), fake_time)
    assert "proxy-password" not in str(caught.value)


def test_the_loopback_is_reached_past_any_proxy(small_sandbox, client_for, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert client_for(small_sandbox).get(HISTORIES.path, ONE).status == 200


@pytest.fixture
def own_certificate(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def test_a_certificate_that_does_not_verify_is_never_accepted(settings_for, fake_time, own_certificate):
    context, _ = own_certificate
    with (
        other_server(200, {}, b"{}", context) as port,
        pytest.raises(WrongUseError, match=r"certificate of 127\.0\.0\.1:\d+ does not verify.*SSL_CERT_FILE"),
    ):
        ask(settings_for(f"https://127.0.0.1:{port}", access_token="t"), fake_time)


def test_an_organisation_s_own_authority_can_be_named(settings_for, fake_time, own_certificate, monkeypatch):
    context, certificate = own_certificate
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))
    with other_server(200, {}, b"{}", context) as port:
        assert ask(settings_for(f"https://127.0.0.1:{port}", access_token="t"), fake_time).body == b"{}"


def test_a_session_cookie_is_not_kept(settings_for):
    with (
        other_server(200, {"Set-Cookie": "session=1; Path=/"}, b"{}") as port,
        NexudusClient(settings_for(f"http://127.0.0.1:{port}", access_token="t")) as client,
    ):
        client.get(HISTORIES.path, ONE)
        assert len(client._http.cookies) == 0
