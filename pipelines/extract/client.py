"""One HTTP client for the API: paced, logged in, patient with what passes and quick to say what does not.

The only module that knows httpx. Every request, the login's and retries included, goes through `_exchange`.
"""

import http.cookiejar
import itertools
import os
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, NoReturn, Self

import httpx
import msgspec

from pipelines.errors import PipelineError, WrongUseError, causes
from pipelines.extract import failures
from pipelines.extract.auth import Login, Token
from pipelines.extract.deadline import end_within, keep_deadlines
from pipelines.extract.exchanges import Answer, Broken, History, Question, giving_up
from pipelines.extract.failures import TOKEN_PATH, DeepPageError, Verdict
from pipelines.extract.pacing import OnWait, Pacer, ledger_for
from pipelines.settings import Clock, Settings, utc_now

__all__ = ["DeepPageError", "NexudusClient", "Reply"]

_MOST_RENEWALS = 4  # for one question
_TIMEOUTS_PER_ANSWER = 10  # for the whole of it; NEXUDUS_TIMEOUT_SECONDS is from byte to byte
_CODINGS = {"", "identity", "gzip", "deflate"}  # no nested ones, of which a few bytes unpack to gigabytes
_PROXY = "the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"
_MEGABYTE = 1_000_000
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Reply(msgspec.Struct, frozen=True):
    """An answer with a 2xx status. `answered_at` is the server's `Date` (UTC, whole seconds), else our clock."""

    body: bytes
    answered_at: datetime
    status: int


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
        self._host = self._http.base_url.netloc.decode("ascii")
        self._pacer = Pacer(ledger_for(settings), clock=clock, sleep=sleep, on_wait=on_wait)
        self._count = threading.Lock()
        self._accepted: set[int] = set()  # hashes of tokens, for a token must not be printed with the client
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

    def get(self, path: str, params: Mapping[str, str], *, role: str = "") -> Reply:
        """Ask. Raises TryAgainLaterError, WrongUseError or RefusedError with a sentence that says what to do.

        `role` is the one that the question takes: a refusal names it.
        """
        return self._authorised(Question("GET", path, params, role=role))

    def post(self, path: str, body: Mapping[str, object], *, role: str = "") -> Reply:
        """Send a write, once. Raises UncertainWriteError if it was sent and no one can know whether it was done."""
        headers = {"content-type": "application/json"}
        content = msgspec.json.encode(body)
        return self._authorised(Question("POST", path, content=content, headers=headers, role=role))

    def server_now(self, path: str) -> datetime:
        """The server's clock, never ahead of it: the newest answer's Date and the time since.

        Asks for a record at `path` where no answer has come yet.
        """
        if self._server_clock is None:
            self.get(path, {"page": "1", "size": "1"})
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

    def _authorised(self, question: Question) -> Reply:
        answer = self._with_token(question)
        if failures.verdict(answer.status) is Verdict.DONE:
            return Reply(body=answer.body, answered_at=answer.answered_at, status=answer.status)
        location = answer.headers.get("location", "")
        raise failures.refusal(
            question.method,
            question.path,
            answer.status,
            answer.body,
            role=question.role,
            page=question.page,
            location=location,
        )

    def _with_token(self, question: Question) -> Answer:
        """The answer, with a new token where the old one was refused.

        Ended token or missing role, nobody can tell: a new token and two more tries, then it is the role. Unless
        others got in with that new token: then it has ended in its turn, while this question waited to be asked again.
        A write is not sent again: the entry may have been made before its answer became a 401.
        """
        token, is_renewed = self._login.token(), False
        for _ in range(_MOST_RENEWALS):
            answer = self._settled(question, token)
            is_refused_anew = is_renewed and failures.verdict(answer.status) is Verdict.RENEW_TOKEN
            if is_refused_anew and hash(token) not in self._accepted:
                self.mishaps["401 on a new token, asked again"] += 1
                answer = self._settled(question, token)
            if failures.verdict(answer.status) is not Verdict.RENEW_TOKEN:
                self._accepted.add(hash(token))
                return answer
            if is_renewed and hash(token) not in self._accepted:
                return answer
            self.mishaps["401, token renewed"] += 1
            token, is_renewed = self._login.renewed(token), True
            if question.is_write:
                return answer
        return answer

    def _ask_for_token(self, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
        content = str(httpx.QueryParams(dict(form))).encode()
        headers = {**headers, "content-type": "application/x-www-form-urlencoded"}
        answer = self._settled(Question("POST", TOKEN_PATH, content=content, headers=headers), None)
        return answer.status, answer.body

    def _settled(self, question: Question, token: Token | None) -> Answer:
        """The answer, after as many attempts as the question, the attempt limit and the budget allow."""
        waited_seconds = 0.0
        for attempt in itertools.count(1):
            outcome = self._exchange(question, token)
            if isinstance(outcome, Answer) and not outcome.is_passing:
                self._pacer.speed_up()
                return outcome
            if isinstance(outcome, Answer) and outcome.is_of_load:
                self._pacer.slow_down()
            self._note_mishap(outcome)
            history = History(self.request_count, self.retry_count, attempt, waited_seconds, self.has_server_clock)
            error = giving_up(question, outcome, history, self._host)
            if error is not None:
                if question.is_write and outcome.throttle_form:
                    self._pacer.pause(outcome.asked_wait_seconds or 0)  # the next request keeps it
                raise error
            waited_seconds += self._wait_before_retry(outcome, attempt)
            with self._count:
                self.retry_count += 1
        raise AssertionError  # the count has no end

    def _wait_before_retry(self, outcome: Answer | Broken, attempt: int) -> float:
        """Wait as the answer asks, everybody; or with jitter, this thread only. Returns the seconds."""
        asked = outcome.asked_wait_seconds
        seconds = failures.backoff_seconds(attempt) if asked is None else asked
        if outcome.throttle_form:
            self._pacer.pause(seconds)  # the next request waits for it, and refuses to if it is too long
        else:
            self._pacer.rest(seconds, f"retry after {outcome.words}")
        return seconds

    def _note_mishap(self, outcome: Answer | Broken) -> None:
        with self._count:
            if outcome.throttle_form:
                self.throttles[outcome.throttle_form] += 1
            else:
                self.mishaps[outcome.words] += 1

    def _exchange(self, question: Question, token: Token | None) -> Answer | Broken:
        """One request, one answer, or why there is none."""
        self._pacer.draw_near(is_write=question.is_write)
        with self._count:
            if self._max_requests is not None and self.request_count >= self._max_requests:
                raise failures.RequestsUsedUpError(f"{self._max_requests} requests are enough: run it again for more.")
            self.request_count += 1
            self.data_request_count += not question.is_for_token
        headers = dict(question.headers)
        if token is not None:
            headers["authorization"] = f"Bearer {token.access}"
        try:
            answer = self._send(question, headers)
        except httpx.HTTPError as error:
            broken = _classified(error, self._host)
        else:
            if answer.status == 407 or (answer.status == 401 and "proxy-authenticate" in answer.headers):  # noqa: PLR2004
                raise _proxy_refused(f"wants a login ({answer.status})")
            if answer.status >= 300:  # noqa: PLR2004
                sent = [*question.texts, *([token.access] if token else [])]
                body, location = (
                    failures.without(one, sent) for one in (answer.body, answer.headers.get("location", "").encode())
                )
                return replace(answer, body=body, headers={**answer.headers, "location": location.decode()})
            if not question.is_write and failures.is_cut_short(answer.body):
                return Broken("the answer was cut short", was_sent=True)
            return answer
        # Outside the handler: httpx errors carry the request, and with it the token, into tracebacks.
        if isinstance(broken, PipelineError):
            raise broken
        return broken

    def _send(self, question: Question, headers: dict[str, str]) -> Answer:
        sent = time.monotonic()

        longest = self._settings.timeout_seconds * _TIMEOUTS_PER_ANSWER
        host = self._http.base_url.host

        def admit_to_the_wire(event: str, details: Mapping[str, Any]) -> None:
            # Not before the connection is made: that takes a while, and the request behind would come too early.
            nonlocal sent, host
            if event == "connection.connect_tcp.started":
                host = details["host"]
            if event == "http11.send_request_headers.started":
                self._pacer.admit(is_write=question.is_write)
                sent = time.monotonic()
                end_within(longest)

        end_within(longest)
        try:
            with self._http.stream(
                question.method,
                question.path,
                params=question.params,
                content=question.content,
                headers=headers,
                extensions={"trace": admit_to_the_wire},
            ) as response:
                body = self._body(response, sent + longest)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if host == self._http.base_url.host:
                raise
            raise httpx.ProxyError(f"{host} does not answer: {error}") from None
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - sent)
        date = _date_of(response.headers.get("date"))
        if date is not None:
            self._server_clock = (date, time.monotonic())
        return Answer(response.status_code, dict(response.headers), bytes(body), date or self._clock())

    def _body(self, response: httpx.Response, deadline: float) -> bytes:
        """The body, unpacked. Raises AnswerTooLargeError before it fills the memory, httpx.HTTPError."""
        coding = response.headers.get("content-encoding", "").strip().lower()
        if coding not in _CODINGS:
            raise httpx.DecodingError("an encoding that was not asked for")
        most, body = self._settings.largest_answer_mb * _MEGABYTE, bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > most:
                raise failures.AnswerTooLargeError(
                    f"An answer is larger than {self._settings.largest_answer_mb} MB: set a smaller NEXUDUS_PAGE_SIZE, "
                    "or a larger NEXUDUS_LARGEST_ANSWER_MB if this machine has the memory."
                )
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the answer never ends")
        return bytes(body)


def _classified(error: httpx.HTTPError, host: str) -> Broken | PipelineError:
    """What a transport error means. Its own text is used only where it cannot quote what was sent."""
    certificate = next((cause for cause in causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return WrongUseError(
            f"The certificate of {host} does not verify ({certificate.verify_message}): check NEXUDUS_BASE_URL, or "
            "point SSL_CERT_FILE at your organisation's certificate authority; checking it is never turned off."
        )
    if isinstance(error, httpx.ProxyError):
        if str(error)[:3] in {"401", "407"}:
            return _proxy_refused(f"refuses: {error}")
        return Broken(f"{_PROXY} refuses: {error}", was_sent=False, is_of_proxy=True)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Broken(str(error) or "no connection in time", was_sent=False)
    if isinstance(error, httpx.TimeoutException):
        return Broken("no answer within NEXUDUS_TIMEOUT_SECONDS", was_sent=True)
    return Broken("the connection broke", was_sent=True)


def _proxy_refused(words: str) -> WrongUseError:
    """A proxy's own login, which neither ours nor NEXUDUS_BASE_URL can change."""
    return WrongUseError(f"{_PROXY[:1].upper()}{_PROXY[1:]} {words}: put its user and password into that address.")


def _date_of(header: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(header) if header else None
        return date and (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache
def _authorities(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Who may vouch for a server; read once, for it takes longer than a request, unless the variables change."""
    return httpx.create_ssl_context()


def _http_client(settings: Settings) -> httpx.Client:
    try:
        client = httpx.Client(
            base_url=settings.base_url,
            # One for all: httpx would read the authorities anew for each proxy in the environment.
            verify=_authorities(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
            # More threads than connections wait for each other as long as the pace makes them.
            timeout=httpx.Timeout(settings.timeout_seconds, pool=None),
            headers={
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
                "cache-control": "no-cache",
                "user-agent": "nexudus-billing",
            },
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
    else:
        keep_deadlines((client._transport, *client._mounts.values()))  # noqa: SLF001 - proxies are among the latter
        return client
    raise WrongUseError("NEXUDUS_BASE_URL is not an address: set it to, for example, https://spaces.nexudus.com.")


def _bad_proxy() -> NoReturn:
    # Not quoted: a proxy's address may hold its password.
    raise WrongUseError(
        "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is no http:// or https:// address: fix or unset it."
    ) from None
