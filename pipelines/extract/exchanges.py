"""One question, what came of it, and whether to ask again. Values and decisions; sends nothing, waits for nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from pipelines.errors import PipelineError, TryAgainLaterError
from pipelines.extract import failures
from pipelines.extract.failures import TOKEN_PATH, Verdict

_ATTEMPTS = 6
_LONG_WAIT_SECONDS = 30  # such a wait is of a limit a minute or an hour, which the wait itself keeps
# Before the host has answered once, a refused connection is a wrong address more likely than an outage.
_ATTEMPTS_AT_FIRST_CONTACT = 2


@dataclass(frozen=True)
class Question:
    """A request, with or without httpx. What may hold a secret is never printed."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    role: str = ""

    @property
    def page(self) -> int:
        """The page asked for."""
        return int(self.params.get("page", "1"))

    @property
    def texts(self) -> list[str]:
        """The texts that are sent in the body, of a form or of a JSON object."""
        if self.is_for_token:
            return [text for _, text in parse_qsl((self.content or b"").decode())]
        return [text for text in json.loads(self.content or b"{}").values() if isinstance(text, str)]

    @property
    def is_for_token(self) -> bool:
        """Whether this is the login."""
        return self.path == TOKEN_PATH

    @property
    def is_write(self) -> bool:
        """Whether asking twice may do something twice: a create has no idempotency key."""
        return self.method != "GET" and not self.is_for_token


@dataclass(frozen=True)
class Answer:
    """What the server answered, be it good or bad."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    answered_at: datetime

    @property
    def words(self) -> str:
        """What to call it in a message."""
        return f"status {self.status}"

    @property
    def is_passing(self) -> bool:
        """Whether the same question may get another answer later."""
        return failures.verdict(self.status) in {Verdict.THROTTLED, Verdict.TRANSIENT}

    @property
    def throttle_form(self) -> str | None:
        """How it slows us down; None if it does not."""
        if not failures.is_throttle(self.status, self.headers):
            return None
        return failures.throttle_form(self.status, self.headers, self.body)

    @property
    def is_of_load(self) -> bool:
        """Whether we may be too fast: a throttle that names no long wait, or a bare 503."""
        is_short = (self.asked_wait_seconds or 0) < _LONG_WAIT_SECONDS
        return is_short and (self.throttle_form is not None or self.status == 503)  # noqa: PLR2004

    @property
    def asked_wait_seconds(self) -> float | None:
        """The wait that the answer asks for."""
        return failures.wait_asked_for(self.headers, self.body, self.answered_at)


@dataclass(frozen=True)
class Broken:
    """No answer came. `was_sent`: the server may have acted on the question nevertheless."""

    words: str
    was_sent: bool
    is_passing: bool = True
    throttle_form: None = None
    asked_wait_seconds: None = None
    is_of_proxy: bool = False


@dataclass(frozen=True)
class History:
    """What a client has been through: its requests and retries in all, and with the question at hand."""

    request_count: int
    retry_count: int
    attempt: int
    waited_seconds: float
    has_met_server: bool


def giving_up(question: Question, outcome: Answer | Broken, history: History, host: str) -> PipelineError | None:
    """The error that ends the attempts; None to ask again."""
    if question.is_write and not _was_surely_not_done(outcome):
        return failures.UncertainWriteError(
            f"Whether {question.method} {question.path} was done is not known ({outcome.words}): look whether the "
            "entry is there before you send it again."
        )
    at_first_contact = isinstance(outcome, Broken) and not outcome.was_sent and not history.has_met_server
    attempts = _ATTEMPTS_AT_FIRST_CONTACT if at_first_contact else _ATTEMPTS
    is_patient = history.attempt < attempts and history.waited_seconds < failures.LONGEST_WAIT_SECONDS
    if is_patient and failures.may_retry(history.retry_count, history.request_count):
        return None
    why = f"{outcome.words}, attempt {history.attempt}"
    if is_patient:
        why += f"; more than a third of all requests failed, {history.retry_count} of {history.request_count}"
    return _given_up(question, outcome, why, host)


def _was_surely_not_done(outcome: Answer | Broken) -> bool:
    # A throttle is no proof: a server may count a request once it has carried it out.
    return isinstance(outcome, Broken) and not outcome.was_sent


def _given_up(question: Question, outcome: Answer | Broken, why: str, host: str) -> PipelineError:
    if isinstance(outcome, Broken):
        if outcome.is_of_proxy:
            return TryAgainLaterError(
                f"{host} cannot be reached ({why}): fix or unset that variable, or try again later."
            )
        failed = "does not answer as it should" if outcome.was_sent else "cannot be reached"
        return TryAgainLaterError(
            f"{host} {failed} ({why}): try again later, or check NEXUDUS_BASE_URL and the network."
        )
    if outcome.throttle_form:
        return failures.ThrottledError(
            f"Stopped, resumable: the API keeps throttling ({why}); run the same command again later, or lower "
            "NEXUDUS_REQUESTS_PER_MINUTE."
        )
    return TryAgainLaterError(f"The API failed on {question.method} {question.path} ({why}): try again later.")
