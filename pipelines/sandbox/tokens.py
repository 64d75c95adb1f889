"""Logins: who may enter, the tokens given out, and when they end."""

import base64
import binascii
import hmac
import secrets
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1

from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.sandbox_clock import SandboxClock

_REFRESH_SECONDS = 15 * 86_400
_TOTP_STEP = 30


@dataclass
class User:
    """Somebody who may log in; with a `totp_secret` (base32) also by a second factor."""

    username: str = "admin@example.com"
    password: str = "sandbox"  # noqa: S105 - the emulator's documented default, guarding nothing
    totp_secret: str | None = None


@dataclass
class _Access:
    username: str
    ends_at: float
    requests: int = 0


@dataclass
class _Refresh:
    username: str
    client_id: str
    ends_at: float


@dataclass
class GrantRefusedError(Exception):
    """A token request that is refused: the status and the OAuth error code."""

    status: int
    error: str
    description: str = ""


@dataclass
class TokenDesk:
    """Gives out tokens and checks them. `issued` keeps every secret, for tests that look for leaks."""

    clock: SandboxClock
    knobs: Knobs
    users: list[User] = field(default_factory=lambda: [User()])
    issued: list[str] = field(default_factory=list)
    _access: dict[str, _Access] = field(default_factory=dict)
    _refresh: dict[str, _Refresh] = field(default_factory=dict)

    def grant(self, form: Mapping[str, str], client_id: str | None) -> dict[str, str | int]:
        """The answer to a token request. Raises GrantRefusedError."""
        match form.get("grant_type"):
            case "password":
                username = self._login(form)
                return self._answer(username, client_id or username)
            case "refresh_token":
                return self._renew(form.get("refresh_token", ""), client_id)
            case _:
                raise GrantRefusedError(400, "unsupported_grant_type")

    def user_of(self, token: str) -> str | None:
        """Name of the user whose live token this is; None when it is unknown or has ended. Counts the request."""
        access = self._access.get(token)
        if access is None or self.clock.exact() >= access.ends_at:
            return None
        if 0 < self.knobs.token_dies_after_requests <= access.requests:
            return None
        access.requests += 1
        return access.username

    def issue(self, username: str | None = None) -> str:
        """A live access token without a login."""
        token = secrets.token_urlsafe(48)
        self._access[token] = _Access(
            username or self.users[0].username, self.clock.exact() + self.knobs.token_expires_in_seconds
        )
        self.issued.append(token)
        return token

    def end_access_tokens(self) -> None:
        """End all access tokens now; refresh tokens live on."""
        self._access.clear()

    def end_refresh_tokens(self) -> None:
        """End all refresh tokens now."""
        self._refresh.clear()

    def _login(self, form: Mapping[str, str]) -> str:
        for user in self.users:
            name_fits = user.username.lower() == form.get("username", "").lower()
            if name_fits and hmac.compare_digest(user.password.encode(), form.get("password", "").encode()):
                if user.totp_secret is not None:
                    self._check_totp(user.totp_secret, form.get("totp", ""))
                return user.username
        raise GrantRefusedError(self.knobs.bad_login_status, "invalid_grant", "The user name or password is incorrect.")

    def _check_totp(self, secret: str, code: str) -> None:
        if not code:
            raise GrantRefusedError(400, "two_factor_auth_check", "A two-factor code is required.")
        # A client counts time steps by its own clock, which is not the sandbox's.
        if code not in {*_totp_codes(secret, time.time()), *_totp_codes(secret, self.clock.exact())}:
            raise GrantRefusedError(self.knobs.bad_login_status, "invalid_grant", "The two-factor code is incorrect.")

    def _renew(self, token: str, client_id: str | None) -> dict[str, str | int]:
        if not client_id:
            raise GrantRefusedError(400, "invalid_clientId", "The client_id header is required.")
        refresh = self._refresh.get(token)
        if refresh is None or refresh.client_id != client_id or self.clock.exact() >= refresh.ends_at:
            raise GrantRefusedError(400, "invalid_grant", "The refresh token is not valid.")
        return self._answer(refresh.username, client_id)

    def _answer(self, username: str, client_id: str) -> dict[str, str | int]:
        # One live refresh token for each client id: a new one ends those before it, single use follows.
        self._refresh = {token: one for token, one in self._refresh.items() if one.client_id != client_id}
        refresh_token = secrets.token_urlsafe(48)
        self._refresh[refresh_token] = _Refresh(username, client_id, self.clock.exact() + _REFRESH_SECONDS)
        self.issued.append(refresh_token)
        return {
            "access_token": self.issue(username),
            "token_type": "bearer",
            "expires_in": self.knobs.token_expires_in_seconds,
            "refresh_token": refresh_token,
        }


def _totp_codes(secret: str, at: float) -> Iterable[str]:
    """The codes of the time step and its neighbours (RFC 6238: SHA-1, six digits, 30 s)."""
    try:
        key = base64.b32decode(secret.replace(" ", "").upper() + "=" * (-len(secret.replace(" ", "")) % 8))
    except binascii.Error as error:
        raise ValueError("the TOTP secret is not base32") from error
    for step in range(int(at) // _TOTP_STEP - 1, int(at) // _TOTP_STEP + 2):
        digest = hmac.new(key, struct.pack(">Q", step), sha1).digest()
        start = digest[-1] & 0xF
        code = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
        yield f"{code % 1_000_000:06d}"
