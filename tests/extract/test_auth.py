"""The login, against the sandbox's own token endpoint."""

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import RefusedError, WrongUseError
from pipelines.extract.auth import one_time_code, read_token
from pipelines.extract.histories import HISTORIES
from pipelines.foundation.private_files import make_private_folder
from pipelines.sandbox.tokens import User

ONE = {"page": "1", "size": "1"}
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238's "12345678901234567890" in base32


def token_requests(sandbox):
    return [one for one in sandbox.requests.seen if one.path == "/api/token"]


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_one_time_codes_are_those_of_rfc_6238(second, code):
    assert one_time_code(SECRET, datetime.fromtimestamp(second, UTC)) == code


def test_a_secret_may_be_written_as_apps_show_it():
    at = datetime.fromtimestamp(59, UTC)
    assert one_time_code("gezd gnbv-gy3t qojq gezd gnbv gy3t qojq", at) == "287082"


@pytest.mark.parametrize("secret", ["not base32!", "1", "0189"])
def test_a_secret_that_is_none_is_named_and_not_quoted(secret):
    with pytest.raises(WrongUseError, match="NEXUDUS_TOTP_SECRET") as caught:
        one_time_code(secret, datetime.now(UTC))
    assert secret not in str(caught.value).replace("digits 2-7", "")
    assert caught.value.__context__ is None


def test_one_login_serves_every_client_of_the_data_directory(small_sandbox, client_for):
    for _ in range(3):
        client_for(small_sandbox).get(HISTORIES.path, ONE)
    assert len(token_requests(small_sandbox)) == 1


def test_what_is_kept_is_for_its_owner_only(small_sandbox, client_for, settings_for):
    client_for(small_sandbox, request_spacing_ms=1).get(HISTORIES.path, ONE)
    data_dir = settings_for(small_sandbox.base_url).data_dir
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [data_dir, *data_dir.iterdir()]}
    assert modes.pop("data") == 0o700
    assert {"token.json", "client_id", "request_pace.sqlite"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_token_is_renewed_by_refresh_before_it_ends(small_sandbox, client_for, fake_time):
    client = client_for(small_sandbox)
    client.get(HISTORIES.path, ONE)
    small_sandbox.tokens.users[0].password = "changed since"  # only a refresh can renew
    fake_time.now += timedelta(seconds=604_799 - 299)
    client.get(HISTORIES.path, ONE)
    assert len(token_requests(small_sandbox)) == 2
    assert [one.status for one in small_sandbox.requests.seen] == [200] * 4  # no 401 was needed to know


def test_a_short_lived_token_is_not_renewed_at_each_request(small_sandbox, client_for):
    small_sandbox.knobs.token_expires_in_seconds = 60
    client = client_for(small_sandbox)
    for _ in range(5):
        client.get(HISTORIES.path, ONE)
    assert len(token_requests(small_sandbox)) == 1


def test_a_token_refused_in_mid_sync_is_renewed_once(small_sandbox, client_for):
    client = client_for(small_sandbox)
    client.get(HISTORIES.path, ONE)
    small_sandbox.tokens.end_access_tokens()
    assert client.get(HISTORIES.path, ONE).status == 200
    assert len(token_requests(small_sandbox)) == 2


def test_when_the_refresh_token_has_ended_the_password_counts(small_sandbox, client_for):
    client = client_for(small_sandbox)
    client.get(HISTORIES.path, ONE)
    small_sandbox.tokens.end_access_tokens()
    small_sandbox.tokens.end_refresh_tokens()
    assert client.get(HISTORIES.path, ONE).status == 200
    assert [one.status for one in token_requests(small_sandbox)] == [200, 400, 200]


def test_the_client_id_is_made_once_and_sent_with_the_refresh(small_sandbox, client_for, settings_for):
    client_for(small_sandbox).get(HISTORIES.path, ONE)
    path = settings_for(small_sandbox.base_url).data_dir / "client_id"
    made = path.read_text()
    small_sandbox.tokens.end_access_tokens()
    small_sandbox.tokens.users[0].password = "changed since"
    client_for(small_sandbox).get(HISTORIES.path, ONE)
    assert path.read_text() == made
    assert {one.client_id for one in small_sandbox.tokens._refresh.values()} == {made}


def test_a_client_id_may_be_given(small_sandbox, client_for):
    client_for(small_sandbox, client_id="finance-night").get(HISTORIES.path, ONE)
    assert {one.client_id for one in small_sandbox.tokens._refresh.values()} == {"finance-night"}


def test_another_user_never_gets_the_token_of_the_first(small_sandbox, client_for):
    small_sandbox.tokens.users.append(User("second@example.com", "other"))
    client_for(small_sandbox).get(HISTORIES.path, ONE)
    client_for(small_sandbox, username="second@example.com", password="other").get(HISTORIES.path, ONE)
    users = [access.username for access in small_sandbox.tokens._access.values()]
    assert users == ["admin@example.com", "second@example.com"]


@pytest.mark.parametrize("kept", ["", "{", "[]", "null", '{"key": 3}'])
def test_a_broken_cache_file_only_costs_a_login(small_sandbox, client_for, settings_for, kept):
    make_private_folder(data_dir := settings_for(small_sandbox.base_url).data_dir)
    (data_dir / "token.json").write_text(kept)
    assert client_for(small_sandbox).get(HISTORIES.path, ONE).status == 200


def test_a_fixed_token_needs_no_login_and_no_file(small_sandbox, client_for, settings_for):
    token = small_sandbox.tokens.issue()
    client_for(small_sandbox, access_token=token, username=None, password=None).get(HISTORIES.path, ONE)
    assert token_requests(small_sandbox) == []
    assert not settings_for(small_sandbox.base_url).data_dir.exists()


def test_a_fixed_token_that_has_ended_is_named(small_sandbox, client_for):
    client = client_for(small_sandbox, access_token="ended", username=None, password=None)
    with pytest.raises(RefusedError, match="NEXUDUS_ACCESS_TOKEN"):
        client.get(HISTORIES.path, ONE)
    assert len(small_sandbox.requests) == 1


@pytest.mark.parametrize("missing", [{"username": None}, {"password": None}, {"username": "", "password": ""}])
def test_without_a_login_the_settings_are_named(small_sandbox, client_for, missing):
    with pytest.raises(WrongUseError, match="NEXUDUS_USERNAME and NEXUDUS_PASSWORD"):
        client_for(small_sandbox, **missing).get(HISTORIES.path, ONE)
    assert len(small_sandbox.requests) == 0


@pytest.mark.parametrize("status", [400, 401])
def test_a_wrong_password_is_said_at_once(small_sandbox, client_for, status):
    small_sandbox.knobs.bad_login_status = status
    with pytest.raises(RefusedError, match="NEXUDUS_USERNAME and NEXUDUS_PASSWORD"):
        client_for(small_sandbox, password="wrong").get(HISTORIES.path, ONE)
    assert len(small_sandbox.requests) == 1


def test_a_user_with_two_factors_needs_the_secret(small_sandbox, client_for):
    small_sandbox.tokens.users[0].totp_secret = SECRET
    with pytest.raises(RefusedError, match="set NEXUDUS_TOTP_SECRET"):
        client_for(small_sandbox).get(HISTORIES.path, ONE)


def test_a_user_with_two_factors_gets_in_with_the_secret(small_sandbox, client_for, fake_time):
    small_sandbox.tokens.users[0].totp_secret = SECRET
    fake_time.now = datetime.now(UTC)
    assert client_for(small_sandbox, totp_secret=SECRET).get(HISTORIES.path, ONE).status == 200


def test_a_wrong_second_factor_names_the_secret(small_sandbox, client_for):
    small_sandbox.tokens.users[0].totp_secret = SECRET
    with pytest.raises(RefusedError, match="NEXUDUS_TOTP_SECRET"):
        client_for(small_sandbox, totp_secret="MFRGGZDFMZTWQ2LK").get(HISTORIES.path, ONE)


@pytest.mark.parametrize("status", [200, 204, 302, 404])
def test_an_address_that_is_no_login_is_named(status):
    with pytest.raises(WrongUseError, match="NEXUDUS_BASE_URL"):
        read_token(status, b"<html>Welcome</html>", datetime.now(UTC))


@pytest.mark.parametrize(
    ("expires_in", "life"), [(604799, 604499), ("86400", 86100), (20, 18), (None, 3300), ("soon", 3300)]
)
def test_the_returned_life_is_used(expires_in, life):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    token = read_token(200, json.dumps({"access_token": "a", "expires_in": expires_in}).encode(), now)
    assert token.expires_at == now.timestamp() + life


@pytest.mark.parametrize("token", ["", "two words", "ümlaut"])
def test_a_token_that_no_header_can_carry_is_refused_before_it_is_sent(small_sandbox, client_for, token):
    with pytest.raises(WrongUseError, match="NEXUDUS_ACCESS_TOKEN"):
        client_for(small_sandbox, access_token=token).get(HISTORIES.path, ONE)


def test_a_client_id_that_no_header_can_carry_is_refused_before_it_is_sent(small_sandbox, client_for):
    with pytest.raises(WrongUseError, match="NEXUDUS_CLIENT_ID"):
        client_for(small_sandbox, client_id="finance night")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable to root")
def test_an_unwritable_data_directory_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WrongUseError, match="NEXUDUS_DATA_DIR"):
        make_private_folder(tmp_path / "data")


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongUseError, match="NEXUDUS_DATA_DIR"):
        make_private_folder(tmp_path / "file" / "data")


_ONE_CLIENT = """
import sys
from pathlib import Path
from pipelines.extract.client import NexudusClient
from pipelines.foundation.private_files import make_private_folder
from pipelines.settings import Settings
settings = Settings(_env_file=None, base_url=sys.argv[1], data_dir=Path(sys.argv[2]), username="admin@example.com",
                    password="sandbox", request_spacing_ms=0, requests_per_minute=0, requests_per_hour=0)
with NexudusClient(settings) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    print(client.get("/api/billing/coworkerinvoicehistories", {"page": "1", "size": "1"}).status)
"""


@pytest.mark.parametrize("ended", [False, True])
def test_two_processes_that_renew_at_once_cost_one_renewal(small_sandbox, client_for, tmp_path, ended):
    if ended:
        client_for(small_sandbox).get(HISTORIES.path, ONE)
        small_sandbox.tokens.end_access_tokens()
        small_sandbox.tokens.users[0].password = "changed since"
    before = len(token_requests(small_sandbox))
    command = [sys.executable, "-c", _ONE_CLIENT, small_sandbox.base_url, str(tmp_path / "data")]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path.cwd()) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=30)[0] for process in processes] == ["200\n"] * 3
    assert len(token_requests(small_sandbox)) == before + 1
