"""Every secret is a canary: whatever goes wrong, none of them is in a log, an error, or a file but the token cache."""

import base64
import logging
import stat
import traceback
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest
from pydantic import ValidationError

from pipelines.errors import PipelineError
from pipelines.extract.auth import Token
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.exchanges import Answer, Question
from pipelines.extract.histories import HISTORIES, created_id
from pipelines.sandbox.tokens import User

PASSWORD = "canary password/ä&+=%"
TOTP_SECRET = "CANARYTOTPSECRETX"[:16]
WRONG_PASSWORD = "canary wrong password"
OTHER_TOTP_SECRET = "GEZDGNBVGY3TQOJQ"
NO_TOTP_SECRET = "canary is no base32 !"
REFUSED_TOKEN = "canary-refused-token"
ONE = {"page": "1", "size": "1"}

FAULTS = [
    "throttle_409",
    "throttle_date",
    "throttle_429",
    "throttle_503",
    "throttle_bare",
    "error_500",
    "error_502",
    "error_503",
    "reset",
    "reset_mid_body",
    "truncated_json",
    "login_page",
    "null_records",
]


@pytest.fixture
def everything_logged(caplog):
    for name in ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "filelock", "pipelines"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def forms_of(secret):
    return {secret, quote(secret), quote_plus(secret), base64.b64encode(secret.encode()).decode(), repr(secret)[1:-1]}


def told_by(error):
    """All that a log could print of an error: its own text, its notes, and what hides behind it."""
    seen = [repr(error), str(error), *map(repr, vars(error).values()), *getattr(error, "__notes__", [])]
    seen += traceback.format_exception(error)
    for other in (error.__cause__, error.__context__):
        if other is not None:
            seen += told_by(other)
    return seen


@pytest.fixture
def watch(small_sandbox, client_for, settings_for, everything_logged):
    """Runs something against the sandbox, then looks for secrets everywhere."""
    small_sandbox.tokens.users[0] = User(password=PASSWORD)

    def run(act, *, fails=None, **changes):
        said = []
        values = {"password": PASSWORD, "totp_secret": TOTP_SECRET} | changes
        try:
            client = client_for(small_sandbox, **values)
            act(EntitySource(client, settings_for(small_sandbox.base_url, **values), HISTORIES))
        except PipelineError as error:
            said += told_by(error)
        assert fails is None or bool(said) is fails
        said += [record.getMessage() for record in everything_logged.records]
        said += [str(record.args) for record in everything_logged.records]
        said += [repr(client), repr(settings_for(small_sandbox.base_url, **values)), repr(vars(client))]
        data_dir = settings_for(small_sandbox.base_url).data_dir
        kept = [path for path in data_dir.rglob("*") if path.is_file()] if data_dir.exists() else []
        said += [path.read_bytes().decode("latin-1") for path in kept if path.name != "token.json"]
        secrets = [PASSWORD, TOTP_SECRET, *small_sandbox.tokens.issued]
        secrets += [
            str(value) for value in changes.values() if value in (WRONG_PASSWORD, NO_TOTP_SECRET, REFUSED_TOKEN)
        ]
        for secret in secrets:
            for form in forms_of(secret):
                assert not [text for text in said if form in text], form
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)

    return run


def create(sandbox, histories):
    entry = {"CoworkerInvoiceId": next(iter(sandbox.store.invoices)), "Name": "n", "Description": "d"}
    return created_id(histories._client.post(HISTORIES.path, entry))


def test_the_watch_would_see_a_secret(watch, small_sandbox):
    def leak(histories):
        histories.search(size=1)
        logging.getLogger("pipelines").info("token %s", small_sandbox.tokens.issued[0])

    with pytest.raises(AssertionError):
        watch(leak)


def test_when_all_is_well(watch, small_sandbox):
    def all_kinds(histories):
        histories.search(size=1)
        small_sandbox.tokens.end_access_tokens()
        histories.search(size=1)
        create(small_sandbox, histories)

    watch(all_kinds, fails=False, request_spacing_ms=1)
    assert len(small_sandbox.tokens.issued) >= 4


def test_logins_that_fail(watch, small_sandbox):
    def enter(histories):
        histories.search(size=1)

    # By name: a traceback shows the line of the call.
    watch(enter, fails=True, password=WRONG_PASSWORD)
    small_sandbox.tokens.users[0].totp_secret = OTHER_TOTP_SECRET
    watch(enter, fails=True)
    watch(enter, fails=True, totp_secret=NO_TOTP_SECRET)
    watch(enter, fails=True, access_token=REFUSED_TOKEN)
    small_sandbox.base_url = "http://127.0.0.1:9"
    watch(enter, fails=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_answers_that_fail(watch, small_sandbox, fault):
    def ask_in_vain(histories):
        setattr(small_sandbox.knobs, f"{fault}_rate", 1.0)
        histories.search(size=1)

    watch(ask_in_vain, fails=True)


def test_refusals(watch, small_sandbox):
    for knob, value in {"roles": "", "required_filter": "X", "missing_role_status": 403}.items():
        setattr(small_sandbox.knobs, knob, value)
        watch(lambda histories: histories.search(size=1), fails=True)
        watch(
            lambda histories: histories._client.post(HISTORIES.path, {"Name": ""}),
            fails=True,
        )


def test_writes_that_fail(watch, small_sandbox):
    def write_in_vain(histories):
        histories.search(size=1)
        small_sandbox.knobs.write_reset_after_rate = 1.0
        create(small_sandbox, histories)

    watch(write_in_vain, fails=True)


@pytest.mark.parametrize(
    "holder",
    [
        Token("canary access", 0.0, "canary refresh"),
        Question("POST", "/api/token", content=b"canary", headers={"authorization": "canary"}),
        Answer(200, {"set-cookie": "canary"}, b'{"access_token":"canary"}', datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_holds_a_secret_does_not_print_it(holder):
    assert "canary" not in f"{holder} {holder!r}"


def test_a_token_that_no_header_can_carry(client_for, small_sandbox, everything_logged):
    for token in ("canary\ntoken", "canary tökén"):
        with pytest.raises((PipelineError, ValidationError)) as caught:
            client_for(small_sandbox, access_token=token).get(HISTORIES.path, ONE)
        assert not [text for text in told_by(caught.value) if "canary" in text]
    assert "canary" not in everything_logged.text
