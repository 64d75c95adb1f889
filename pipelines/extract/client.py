"""One HTTP client for the API: paced, logged in, patient with what passes and quick to say what does not.

The only module that knows httpx. Every request, the login's and retries included, goes through `_exchange`.
"""

import http.cookiejar
import itertools
import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from pipelines.errors import PipelineError, TryAgainLaterError, WrongUseError
from pipelines.extract import failures
from pipelines.extract.auth import Login, Token
from pipelines.extract.failures import HISTORIES_PATH, TOKEN_PATH, DeepPageError, Verdict
from pipelines.extract.pacing import OnWait, Pacer, ledger_for
from pipelines.settings import Clock, Settings, utc_now

__all__ = ["DeepPageError", "NexudusClient", "Reply"]

_PASSING = {Verdict.THROTTLED, Verdict.TRANSIENT}
_ATTEMPTS = 6
# Before the host has answered once, a refused connection is a wrong address more likely than an outage.
_ATTEMPTS_AT_FIRST_CONTACT = 2
# httpx counts its time-out from byte to byte; an answer that drips is given up after so many of them.
_TIMEOUTS_PER_ANSWER = 10
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_PERSONAL_PARAMETERS = ("FullName", "BillToName", "Description")


class Reply(msgspec.Struct, frozen=True):
    """An answer with a 2xx status. `answered_at` is the server's `Date` (UTC, whole seconds), else our clock."""

    body: bytes
    answered_at: datetime
    status: int


@dataclass(frozen=True)
class _Question:
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def page(self) -> int:
        return int(self.params.get("page", "1"))

    @property
    def may_repeat(self) -> bool:
        """Whether asking twice is the same as asking once. A create has no idempotency key."""
        return self.method == "GET" or self.path == TOKEN_PATH


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    answered_at: datetime


@dataclass(frozen=True)
class _Broken:
    """No answer came. `was_sent`: the server may have acted on the question nevertheless."""

    why: str
    was_sent: bool


class NexudusClient:
    """The API over HTTP. A context manager; thread-safe. Waits, retries and renews the login by itself."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: OnWait | None = None,
        max_requests: int | None = None,
    ) -> None:
        self._settings = settings
        self._max_requests = max_requests
        self._clock = clock
        self._login = Login(settings, self._ask_for_token, clock)
        self._http = _http_client(settings)
        self._pacer = Pacer(ledger_for(settings), clock=clock, sleep=sleep, on_wait=on_wait)
        self._count = threading.Lock()
        self._server_clock: tuple[datetime, float] | None = None
        self.request_count = 0
        self.data_request_count = 0
        self.retry_count = 0
        self.throttles: Counter[str] = Counter()
        """The forms in which throttling was met, and how often."""
        self.mishaps: Counter[str] = Counter()
        """What else went wrong and was asked again, and how often."""
        self.slowest_seconds = 0.0

    @property
    def waited_seconds(self) -> float:
        """Seconds spent waiting in all: for the pace, for throttles, before retries."""
        return self._pacer.waited_seconds

    @property
    def has_server_clock(self) -> bool:
        """Whether an answer has told the server's time."""
        return self._server_clock is not None

    def log_in(self) -> None:
        """Make sure of a token, as every question does first. Raises RefusedError, or TryAgainLaterError."""
        self._login.token()

    def get(self, path: str, params: Mapping[str, str]) -> Reply:
        """Ask. Raises TryAgainLaterError, WrongUseError or RefusedError with a sentence that says what to do."""
        return self._authorised(_Question("GET", path, params))

    def post(self, path: str, body: Mapping[str, object]) -> Reply:
        """Send a write, once. Raises UncertainWriteError if it was sent and no one can know whether it was done."""
        headers = {"content-type": "application/json"}
        return self._authorised(_Question("POST", path, content=msgspec.json.encode(body), headers=headers))

    def server_now(self) -> datetime:
        """The server's clock, never ahead of it: the newest answer's Date and the time since. Asks if none came yet."""
        if self._server_clock is None:
            self.get(HISTORIES_PATH, {"page": "1", "size": "1"})
        if self._server_clock is None:
            return self._clock()  # a server without Date
        date, then = self._server_clock
        return date + timedelta(seconds=time.monotonic() - then)

    def close(self) -> None:
        """Give back connections and files."""
        self._http.close()
        self._pacer.close()

    def __enter__(self) -> Self:
        """Nothing is opened before the first question."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _authorised(self, question: _Question) -> Reply:
        token = self._login.token()
        answer = self._settled(question, token)
        if failures.verdict(answer.status) is Verdict.RENEW_TOKEN:
            self.mishaps["401, token renewed"] += 1
            # Ended token or missing role, nobody can tell: a new token, one more try, then it is the role.
            token = self._login.renewed(token)
            answer = self._settled(question, token)
        if failures.verdict(answer.status) is Verdict.DONE:
            return Reply(body=answer.body, answered_at=answer.answered_at, status=answer.status)
        location = answer.headers.get("location", "")
        raise failures.refusal(
            question.method, question.path, answer.status, answer.body, page=question.page, location=location
        )

    def _ask_for_token(self, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
        content = str(httpx.QueryParams(dict(form))).encode()
        headers = {**headers, "content-type": "application/x-www-form-urlencoded"}
        answer = self._settled(_Question("POST", TOKEN_PATH, content=content, headers=headers), None)
        return answer.status, answer.body

    def _settled(self, question: _Question, token: Token | None) -> _Answer:
        """The answer, after as many attempts as the question, the attempt limit and the budget allow."""
        waited_seconds = 0.0
        for attempt in itertools.count(1):
            answer = self._exchange(question, token)
            if isinstance(answer, _Answer) and failures.verdict(answer.status) not in _PASSING:
                return answer
            self._note_mishap(answer)
            self._check_repeatable(question, answer)
            self._check_budget(question, answer, attempt, waited_seconds)
            waited_seconds += self._wait_before_retry(answer, attempt)
            with self._count:
                self.retry_count += 1
        raise AssertionError  # the count has no end

    def _wait_before_retry(self, answer: _Answer | _Broken, attempt: int) -> float:
        """Wait as the answer asks, everybody; or with jitter, this thread only. Returns the seconds."""
        asked = None
        if isinstance(answer, _Answer):
            asked = failures.wait_asked_for(answer.headers, answer.body, answer.answered_at)
        seconds = failures.backoff_seconds(attempt) if asked is None else asked
        if asked is not None or (isinstance(answer, _Answer) and failures.verdict(answer.status) is Verdict.THROTTLED):
            self._pacer.pause(seconds)  # the next request waits for it, and refuses to if it is too long
        else:
            self._pacer.rest(seconds, f"retry after {_words(answer)}")
        return seconds

    def _note_mishap(self, answer: _Answer | _Broken) -> None:
        with self._count:
            if isinstance(answer, _Answer) and failures.is_throttle(answer.status, answer.headers):
                self.throttles[failures.throttle_form(answer.status, answer.headers, answer.body)] += 1
            else:
                self.mishaps[_words(answer)] += 1

    def _check_repeatable(self, question: _Question, answer: _Answer | _Broken) -> None:
        if question.may_repeat or (isinstance(answer, _Broken) and not answer.was_sent):
            return
        if isinstance(answer, _Answer) and failures.verdict(answer.status) is Verdict.THROTTLED:
            return
        raise failures.UncertainWriteError(
            f"Whether {question.method} {question.path} was done is not known ({_words(answer)}): look whether the "
            "entry is there before you send it again."
        )

    def _check_budget(
        self, question: _Question, answer: _Answer | _Broken, attempt: int, waited_seconds: float
    ) -> None:
        at_first = isinstance(answer, _Broken) and not answer.was_sent and self._server_clock is None
        attempts = _ATTEMPTS_AT_FIRST_CONTACT if at_first else _ATTEMPTS
        is_patient = attempt < attempts and waited_seconds < failures.LONGEST_WAIT_SECONDS
        if is_patient and failures.may_retry(self.retry_count, self.request_count):
            return
        why = f"{_words(answer)}, attempt {attempt}"
        if is_patient:
            why += f"; more than a tenth of all requests failed, {self.retry_count} of {self.request_count}"
        if isinstance(answer, _Broken):
            host = urlsplit(self._settings.base_url).netloc
            failed = "does not answer as it should" if answer.was_sent else "cannot be reached"
            raise TryAgainLaterError(
                f"{host} {failed} ({why}): try again later, or check NEXUDUS_BASE_URL and the network."
            )
        if failures.verdict(answer.status) is Verdict.THROTTLED:
            raise failures.ThrottledError(
                f"Stopped, resumable: the API keeps throttling ({why}); run the same command again later, or lower "
                "NEXUDUS_REQUESTS_PER_MINUTE."
            )
        raise TryAgainLaterError(f"The API failed on {question.method} {question.path} ({why}): try again later.")

    def _exchange(self, question: _Question, token: Token | None) -> _Answer | _Broken:
        """One request, one answer, or why there is none."""
        self._pacer.draw_near()
        with self._count:
            if self._max_requests is not None and self.request_count >= self._max_requests:
                raise failures.RequestsUsedUpError(f"{self._max_requests} requests are enough: run it again for more.")
            self.request_count += 1
            self.data_request_count += question.path != TOKEN_PATH
        headers = dict(question.headers)
        if token is not None:
            headers["authorization"] = f"Bearer {token.access}"
        try:
            answer = self._send(question, headers)
        except httpx.HTTPError as error:
            broken = _classified(error, urlsplit(self._settings.base_url).netloc)
        else:
            if question.may_repeat and failures.is_cut_short(answer.body):
                return _Broken("the answer was cut short", was_sent=True)
            return answer
        # Outside the handler: httpx errors carry the request, and with it the token, into tracebacks.
        if isinstance(broken, PipelineError):
            raise broken
        return broken

    def _send(self, question: _Question, headers: dict[str, str]) -> _Answer:
        sent = time.monotonic()

        def admit_to_the_wire(event: str, _: object) -> None:
            # Not before the connection is made: that takes a while, and the request behind would come too early.
            nonlocal sent
            if event == "http11.send_request_headers.started":
                self._pacer.admit()
                sent = time.monotonic()

        body = bytearray()
        with self._http.stream(
            question.method,
            question.path,
            params=question.params,
            content=question.content,
            headers=headers,
            extensions={"trace": admit_to_the_wire},
        ) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() - sent > self._settings.timeout_seconds * _TIMEOUTS_PER_ANSWER:
                    raise httpx.ReadTimeout("the answer never ends")
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - sent)
        date = _date_of(response.headers.get("date"))
        if date is not None:
            self._server_clock = (date, time.monotonic())
        return _Answer(response.status_code, dict(response.headers), bytes(body), date or self._clock())


def _words(answer: _Answer | _Broken) -> str:
    return answer.why if isinstance(answer, _Broken) else f"status {answer.status}"


def _classified(error: httpx.HTTPError, host: str) -> _Broken | PipelineError:
    """What a transport error means. Its own text is used only where it cannot quote what was sent."""
    certificate = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return WrongUseError(
            f"The certificate of {host} does not verify ({certificate.verify_message}): check NEXUDUS_BASE_URL, or "
            "point SSL_CERT_FILE at your organisation's certificate authority; checking it is never turned off."
        )
    if isinstance(error, httpx.ProxyError):
        return _Broken(f"the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY refuses: {error}", was_sent=False)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return _Broken(str(error) or "no connection in time", was_sent=False)
    if isinstance(error, httpx.TimeoutException):
        return _Broken("no answer within NEXUDUS_TIMEOUT_SECONDS", was_sent=True)
    return _Broken("the connection broke", was_sent=True)


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _date_of(header: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(header) if header else None
    except ValueError:
        return None
    return date and (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)


def _http_client(settings: Settings) -> httpx.Client:
    logging.getLogger("httpx").addFilter(_without_personal_values)
    try:
        return httpx.Client(
            base_url=settings.base_url,
            # More threads than connections wait for each other as long as the pace makes them.
            timeout=httpx.Timeout(settings.timeout_seconds, pool=None),
            headers={"accept": "application/json", "user-agent": "nexudus-billing"},
            # A session cookie would log us in beside the token and hide a missing role.
            cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=())),
            # A proxy cannot reach this machine's loopback, and the sandbox is there.
            mounts={f"all://{host}": None for host in _LOOPBACK},
            limits=httpx.Limits(max_connections=settings.concurrent_requests),
        )
    except httpx.InvalidURL:
        pass
    except (ValueError, ImportError):
        _bad_proxy()
    raise WrongUseError("NEXUDUS_BASE_URL is not an address: set it to, for example, https://spaces.nexudus.com.")


def _bad_proxy() -> NoReturn:
    # Not quoted: a proxy's address may hold its password.
    raise WrongUseError(
        "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is no http:// or https:// address: mend or unset it."
    ) from None


def _without_personal_values(record: logging.LogRecord) -> bool:
    """Take names and free text out of the addresses that httpx logs."""
    if isinstance(record.args, tuple):
        record.args = tuple(_masked(part) if isinstance(part, httpx.URL) else part for part in record.args)
    return True


def _masked(url: httpx.URL) -> httpx.URL:
    pairs = url.params.multi_items()
    if not any(key.endswith(_PERSONAL_PARAMETERS) for key, _ in pairs):
        return url
    return url.copy_with(params=[(key, "***" if key.endswith(_PERSONAL_PARAMETERS) else value) for key, value in pairs])
