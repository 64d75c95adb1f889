"""The login: password, one-time code, refresh grant, and the token cache that processes share.

Belongs here: which grant to use when, and where the token is kept. Does not: HTTP (the client hands in how to ask).
"""

import base64
import contextlib
import hashlib
import hmac
import json
import re
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipelines.errors import PipelineError, RefusedError, TryAgainLaterError, WrongUseError
from pipelines.extract.failures import TOKEN_PATH, message_in
from pipelines.foundation.private_files import PRIVATE, make_private_folder, replace_file, unwritable
from pipelines.settings import Clock, Settings

# How a grant is asked for: form and headers in, status and body out. Retries and pace are the client's.
AskForToken = Callable[[Mapping[str, str], Mapping[str, str]], tuple[int, bytes]]

_RENEWED_BEFORE_SECONDS = 300.0
_RENEWED_BEFORE_RATIO = 0.1  # of a short-lived token's life
_ASSUMED_LIFE_SECONDS = 3600.0  # where `expires_in` is not sent; the shortest seen is about 20,000
_LOCK_SECONDS = 600.0
_CODE_SECONDS = 30
# What a header can carry. Checked here, for an HTTP library's complaint would quote the token.
_HEADER_SAFE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Token:
    """An access token, when it ends (seconds since 1970; None: not known) and what renews it. Never printed."""

    access: str = field(repr=False)
    expires_at: float | None = None
    refresh: str | None = field(default=None, repr=False)


class Login:
    """Hands out an access token, and a new one when it is about to end or was refused. Thread- and process-safe."""

    def __init__(self, settings: Settings, ask: AskForToken, clock: Clock) -> None:
        self._settings = settings
        self._ask = ask
        self._clock = clock
        self._lock = threading.RLock()
        self._token: Token | None = None
        self._client_id = settings.client_id and _header_safe(settings.client_id, "NEXUDUS_CLIENT_ID")
        if settings.access_token is not None:
            self._token = Token(_header_safe(settings.access_token.get_secret_value(), "NEXUDUS_ACCESS_TOKEN"))
        elif not settings.username or settings.password is None:
            raise WrongUseError(
                "There is no login: set NEXUDUS_USERNAME and NEXUDUS_PASSWORD (or NEXUDUS_ACCESS_TOKEN) in the "
                "environment or in .env."
            )

    @property
    def is_fixed(self) -> bool:
        """Whether the token was given, so that no login can renew it."""
        return self._settings.access_token is not None

    def token(self) -> Token:
        """A token that is not about to end. Logs in, or renews, if there is none."""
        with self._lock:
            if self._token is None or not self._is_fresh(self._token):
                self._token = self._renewed(refused=None)
            return self._token

    def renewed(self, refused: Token) -> Token:
        """Another token than the refused one: of another thread or process that was quicker, else a new one."""
        with self._lock:
            if self.is_fixed:
                raise RefusedError(
                    "The API refuses NEXUDUS_ACCESS_TOKEN (401): it has ended, or its user lacks the role; set a new "
                    "one, or NEXUDUS_USERNAME and NEXUDUS_PASSWORD instead."
                )
            if self._token is None or self._token.access == refused.access:
                self._token = self._renewed(refused)
            return self._token

    def _renewed(self, refused: Token | None) -> Token:
        make_private_folder(self._settings.data_dir)
        with self._alone():
            client_id = self._client_id = self._client_id or _own_client_id(self._settings.data_dir)
            cache = TokenCache(self._settings, client_id)
            cached = cache.load()
            if cached and self._is_fresh(cached) and (refused is None or cached.access != refused.access):
                return cached
            token = (cached and cached.refresh and self._refresh(cached.refresh, client_id)) or self._log_in(client_id)
            cache.save(token)
            return token

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time: a refresh token can be used once only."""
        lock = FileLock(self._settings.data_dir / "token.lock", timeout=_LOCK_SECONDS, mode=PRIVATE)
        try:
            lock.acquire()
        except Timeout:
            raise TryAgainLaterError("Another process has been logging in for ten minutes: try again later.") from None
        except OSError as error:
            raise _unwritable(self._settings.data_dir, error) from None
        try:
            yield
        finally:
            lock.release()

    def _refresh(self, refresh_token: str, client_id: str) -> Token | None:
        """None when the refresh token has ended, was used, or was ended by another login: then the password counts."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        status, body = self._ask(form, {"client_id": client_id})
        try:
            return read_token(status, body, self._clock())
        except PipelineError:
            return None

    def _log_in(self, client_id: str) -> Token:
        settings = self._settings
        form = {"grant_type": "password", "username": settings.username or ""}
        form["password"] = settings.password.get_secret_value() if settings.password else ""
        if settings.totp_secret is not None:
            form["totp"] = one_time_code(settings.totp_secret.get_secret_value(), self._clock())
        status, body = self._ask(form, {"client_id": client_id})
        return read_token(status, body, self._clock(), with_code="totp" in form)

    def _is_fresh(self, token: Token) -> bool:
        return token.expires_at is None or self._clock().timestamp() < token.expires_at


def read_token(status: int, body: bytes, now: datetime, *, with_code: bool = False) -> Token:
    """The token in a token answer; `expires_at` is already early enough to renew in time.

    Raises RefusedError for a refused login, WrongUseError if the answer is not of a token endpoint.
    """
    answer = _json_object(body)
    access = answer.get("access_token")
    if status == 200 and isinstance(access, str) and _HEADER_SAFE.fullmatch(access):  # noqa: PLR2004
        try:
            life = float(answer.get("expires_in", _ASSUMED_LIFE_SECONDS))
        except (TypeError, ValueError):
            life = _ASSUMED_LIFE_SECONDS
        refresh = answer.get("refresh_token")
        early = min(_RENEWED_BEFORE_SECONDS, life * _RENEWED_BEFORE_RATIO)
        return Token(access, now.timestamp() + life - early, refresh if isinstance(refresh, str) else None)
    raise _login_refusal(status, body, with_code=with_code)


def _login_refusal(status: int, body: bytes, *, with_code: bool) -> PipelineError:
    said = message_in(body) + " " + str(_json_object(body).get("error", ""))
    if "two_factor" in said:
        return RefusedError(
            "The login wants another one-time code: check NEXUDUS_TOTP_SECRET and this machine's clock."
            if with_code
            else "The login wants a one-time code: set NEXUDUS_TOTP_SECRET to the user's two-factor secret."
        )
    if status in {400, 401, 403} and "unsupported_grant_type" not in said:
        return RefusedError(
            f"The login was refused ({status}): check NEXUDUS_USERNAME and NEXUDUS_PASSWORD"
            f"{' and NEXUDUS_TOTP_SECRET' if with_code else ''}, and that the user may use the API."
        )
    return WrongUseError(
        f"{TOKEN_PATH} does not answer as the API's login does (status {status}): check NEXUDUS_BASE_URL and any "
        "proxy between."
    )


def one_time_code(secret: str, now: datetime) -> str:
    """The six digits of RFC 6238 (SHA-1, 30 s) for a base32 secret, as authenticator apps show them.

    Not pyotp: its version 2.12 refuses secrets under 112 bits, and 80 bits is what many services still issue.
    """
    text = re.sub(r"[\s=-]", "", secret).upper()
    key = b""
    with contextlib.suppress(ValueError):  # binascii.Error is one
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    if not key:
        raise WrongUseError("NEXUDUS_TOTP_SECRET is not a base32 secret (letters A-Z and digits 2-7).")
    step = struct.pack(">Q", int(now.timestamp()) // _CODE_SECONDS)
    digest = hmac.digest(key, step, "sha1")
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 0xF)
    return f"{(number & 0x7FFFFFFF) % 10**6:06}"


class TokenCache:
    """The file `token.json` of the data directory: one token, readable by its owner only."""

    def __init__(self, settings: Settings, client_id: str) -> None:
        self._path = settings.data_dir / "token.json"
        whose = json.dumps([settings.base_url, settings.username, client_id])
        # A changed address, user or client id must never meet another's token.
        self._key = hashlib.sha256(whose.encode()).hexdigest()

    def load(self) -> Token | None:
        """The token kept for this login, if there is one that can be read."""
        try:
            kept = _json_object(self._path.read_bytes())
            if kept.get("key") != self._key:
                return None
            access, refresh = kept["access_token"], kept.get("refresh_token")
            token = Token(str(access), float(kept["expires_at"]), str(refresh) if refresh else None)
        except (OSError, KeyError, TypeError, ValueError):
            return None
        return token if _HEADER_SAFE.fullmatch(token.access) else None

    def save(self, token: Token) -> None:
        """Replace the file in one step; nobody reads half a token."""
        kept = {
            "key": self._key,
            "access_token": token.access,
            "refresh_token": token.refresh,
            "expires_at": token.expires_at,
        }
        _replace(self._path, json.dumps(kept).encode())


def _own_client_id(data_dir: Path) -> str:
    """The GUID of this data directory, made at the first login: two deployments must not end each other's tokens."""
    path = data_dir / "client_id"
    with contextlib.suppress(OSError, ValueError):
        return str(uuid.UUID(path.read_text().strip()))
    client_id = str(uuid.uuid4())
    _replace(path, client_id.encode())
    return client_id


def _replace(path: Path, content: bytes) -> None:
    try:
        replace_file(path, content)
    except OSError as error:
        raise _unwritable(path.parent, error) from None


def _unwritable(path: Path, error: OSError) -> PipelineError:
    return unwritable(path, error, "set NEXUDUS_DATA_DIR to a folder that you may write to.")


def _header_safe(text: str, name: str) -> str:
    if not _HEADER_SAFE.fullmatch(text.strip()):
        raise WrongUseError(f"{name} contains characters that no HTTP header can carry: set it to the bare value.")
    return text.strip()


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
