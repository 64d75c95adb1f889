"""What a failed answer means: permanent or transient, how long to wait, and the sentence to say.

Belongs here: decisions on values (status, headers, body). Does not: sending, sleeping, httpx.
A wrong decision costs: a retried 403 is a role nobody asks for while a run hangs; an unretried 503 is a night without
figures; a repeated create is a second notification to a customer.
"""

import json
import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from urllib.parse import quote, quote_plus, urlsplit

import msgspec

from pipelines.errors import BrokenPromiseError, PipelineError, RefusedError, TryAgainLaterError, WrongUseError
from pipelines.foundation.shown_text import shown

TOKEN_PATH = "/api/token"  # noqa: S105 - a path, not a secret

LONGEST_WAIT_SECONDS = 300.0
"""A longer wait, asked for by the API or by our own pace, ends the run as throttled instead of hanging."""

LONGEST_BELIEVED_WAIT_SECONDS = 86_400.0
"""A server that asks for more than a day is not believed; it counts as one that names no wait."""

_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 30.0
_ALWAYS_ALLOWED_RETRIES = 20  # four readers, each meeting one outage of five attempts
_REQUESTS_PER_RETRY = 3  # fourteen faults of 2 % each spoil a quarter of the requests
_QUOTED_LENGTH = 200
_SHORTEST_HIDDEN = 6  # shorter ones are words that a message may need
_whole = msgspec.json.Decoder(msgspec.Raw)  # walks over the JSON, builds nothing


class ThrottledError(TryAgainLaterError):
    """The pace is used up for longer than is worth waiting; what was landed stays, the next run goes on."""


class RequestsUsedUpError(TryAgainLaterError):
    """The most requests that this client may send are sent."""


class AnswerTooLargeError(WrongUseError):
    """An answer would not fit into the memory that a setting allows for it: ask for fewer records."""


class PageShrunkError(TryAgainLaterError):
    """A page beyond the first was too large for memory: pages are smaller from now on, so begin with the first."""

    def __init__(self) -> None:
        super().__init__("A page was larger than NEXUDUS_LARGEST_ANSWER_MB: run the same command again.")


class DeepPageError(RefusedError):
    """403 on a page beyond the first: not a role, the API refuses to page that deep. Split the range."""


class MissingFilterError(RefusedError):
    """The tenant does not answer the question without a further filter; `said` is how it put that."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class NotFoundError(WrongUseError):
    """404: nothing is there."""


class UncertainWriteError(TryAgainLaterError):
    """A create was sent and its outcome is unknown. There is no idempotency key: read back before sending again."""


class BadRequestError(RefusedError):
    """400: the question or the entry is not accepted as it is. `body` is what the API said, whole."""

    def __init__(self, message: str, body: bytes) -> None:
        super().__init__(message)
        self.body = body


class DoubtedRefusalError(RefusedError):
    """401 for a create: the role is missing, or the login ended, perhaps after the entry was made."""


class EntryRefusedError(WrongUseError):
    """The API refused to create an entry. `problems` pairs each property it named with what is wrong with it."""

    def __init__(self, message: str, problems: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class Verdict(Enum):
    """What a status asks of us."""

    DONE = auto()
    THROTTLED = auto()
    TRANSIENT = auto()
    RENEW_TOKEN = auto()
    PERMANENT = auto()


_PASSING = {408, 421, 425}  # the server gave up waiting, the wrong server, too early a repetition


def verdict(status: int) -> Verdict:
    """Permanent or transient. 409 is this API's throttle, not a conflict; 400 and 403 never become right by asking."""
    if status in {409, 429}:
        return Verdict.THROTTLED
    if status >= 500 or status in _PASSING:  # noqa: PLR2004 - server errors
        return Verdict.TRANSIENT
    if status == 401:  # noqa: PLR2004
        return Verdict.RENEW_TOKEN
    return Verdict.DONE if 200 <= status < 300 else Verdict.PERMANENT  # noqa: PLR2004


def wait_asked_for(headers: Mapping[str, str], body: bytes, now: datetime) -> float | None:
    """Seconds the server asks us to wait, or None if it does not say, or names the past or more than a day.

    From `Retry-After` in seconds or as a date (against `now`, the answer's own Date: our clock may be off), else from
    "Wait N seconds" in the body.
    """
    asked = headers.get("retry-after", "").strip()
    seconds = _number(asked)
    if seconds is None and asked:
        try:
            until = parsedate_to_datetime(asked)
            seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, OverflowError):
            pass
    if seconds is None and (found := re.search(rb"[Ww]ait\s+(\d+(?:\.\d+)?)\s*s", body[:2000])):
        seconds = _number(found[1].decode())
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_BELIEVED_WAIT_SECONDS else None


def is_throttle(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer slows us down rather than fails: 409, 429, or a server error that says when to come back."""
    return verdict(status) is Verdict.THROTTLED or (verdict(status) is Verdict.TRANSIENT and "retry-after" in headers)


def throttle_form(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """In which of the forms seen on live tenants a throttle answer says how long to wait."""
    asked = headers.get("retry-after", "").strip()
    if asked and wait_asked_for(headers, b"", datetime.now(UTC)) is None:
        return f"{status} with a Retry-After that is not believed"
    if asked:
        return f"{status} with Retry-After {'in seconds' if _number(asked) is not None else 'as a date'}"
    return f"{status} with the wait in the text" if wait_asked_for({}, body, datetime.now(UTC)) else f"{status} bare"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def backoff_seconds(failures: int) -> float:
    """Full jitter (M. Brooker, 2015): anything from nothing to a bound that doubles with each failure."""
    bound = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))
    return random.uniform(0, bound)  # noqa: S311 - spreads load, guards nothing


def may_retry(retry_count: int, request_count: int) -> bool:
    """Whether the budget has a retry left: a third of all requests and a small constant, so that we never hammer."""
    return retry_count < _ALWAYS_ALLOWED_RETRIES + request_count // _REQUESTS_PER_RETRY


def is_cut_short(body: bytes) -> bool:
    """Whether a JSON object was begun and not ended: the connection broke where no length was announced."""
    if body.lstrip()[:1] != b"{":
        return False
    if body.rstrip()[-1:] != b"}":
        return True
    try:
        _whole.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # A whole body can be unreadable too; of half an emoji msgspec says the same as of an end that is missing.
        return "truncated" in str(error) and rb"\ud" not in body.lower()
    return False


def without(body: bytes, texts: Iterable[str]) -> bytes:
    """The body of an error with `…` for each of these texts, which a message that echoes the request would repeat."""
    for text in sorted((text for text in texts if len(text) >= _SHORTEST_HIDDEN), key=len, reverse=True):
        in_json = (json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
        for form in (text, *in_json, quote_plus(text), quote(text)):
            body = body.replace(form.encode("utf-8", "replace"), "…".encode())
    return body


def is_html(body: bytes) -> bool:
    """Whether a page for people came instead of data."""
    return body.lstrip()[:200].lower().startswith((b"<!doctype", b"<html"))


def refusal(  # noqa: PLR0911 - a table of cases reads best as one
    method: str, path: str, status: int, body: bytes, *, role: str = "", page: int = 1, location: str = ""
) -> PipelineError:
    """The error for an answer that no retry changes, after the token was renewed. Never quotes query or headers.

    `role` is the one that the question takes, as the API's reference pages name it; '' where nobody knows.
    """
    if status == 403 and page > 1:  # noqa: PLR2004
        return DeepPageError(f"The API refuses page {page} of {path} (403): ask for smaller ranges.")
    if status == 401 and method == "POST":  # noqa: PLR2004
        return DoubtedRefusalError(
            f"The API refuses {method} {path} (401): run the same command again, in case the login had just ended; if "
            f"this stays, give the user the role `{role or 'to create'}`."
        )
    if status in {401, 403}:
        return RefusedError(
            f"The API refuses {method} {path} ({status}) with a valid login: give the user the role "
            f"{f'`{role}`' if role else 'for this list'}, or use an administrator's login."
        )
    if 300 <= status < 400:  # noqa: PLR2004
        target = urlsplit(location)
        host = target.netloc.rpartition("@")[2]
        return WrongUseError(
            f"{method} {path} is redirected ({status}) to {target.scheme}://{host}{shown(target.path)}: "
            "set NEXUDUS_BASE_URL to the address of the API itself."
        )
    if status == 404:  # noqa: PLR2004
        return NotFoundError(f"The API knows nothing at {path} (404): check NEXUDUS_BASE_URL.")
    said = message_in(body)
    if status == 400 and "missing required filter" in said.lower():  # noqa: PLR2004
        return MissingFilterError(
            f"The API does not list {path} by date alone on this account ({said}): ask Nexudus support to allow it.",
            said,
        )
    if status == 400:  # noqa: PLR2004
        return BadRequestError(f"The API does not accept {method} {path} (400: {said or 'no reason given'}).", body)
    advice = _ADVICE.get(status, "look for a proxy or a firewall between, and try again later")
    return BrokenPromiseError(
        f"The API answers {method} {path} with the unexpected status {status}{f' ({said})' if said else ''}: {advice}."
    )


_ADVICE = {
    402: "the account's subscription may have ended; ask its owner",
    405: "check that NEXUDUS_BASE_URL is the API itself and no proxy forbids the method",
    406: "check that NEXUDUS_BASE_URL is the API itself",
    410: "this version may be too old for the API; look for a newer one",
    411: "look for a proxy between that changes requests",
    413: "set a smaller NEXUDUS_PAGE_SIZE, or send a shorter text",
    414: "set a smaller NEXUDUS_PAGE_SIZE, and look for a proxy between with a low limit",
    415: "look for a proxy between that changes requests",
    426: "use https:// in NEXUDUS_BASE_URL",
    431: "look for a proxy between with a low limit of headers",
    451: "the network here forbids this address; ask who runs it",
}


def message_in(body: bytes) -> str:
    """What an error body says in one short line: its `Message`, `error`, or plain text; '' for HTML or nothing."""
    if is_html(body):
        return ""
    text = body[:10_000].decode("utf-8", "replace")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = text
    if isinstance(answer, dict):
        answer = next(
            (answer[key] for key in ("Message", "message", "error_description", "error") if answer.get(key)), ""
        )
    return shown(" ".join(str(answer).split())[:_QUOTED_LENGTH])
