import base64

import httpx
import pytest

from pipelines.sandbox.tokens import User

LOGIN = {"grant_type": "password", "username": "admin@example.com", "password": "sandbox"}
HISTORIES = "/api/billing/coworkerinvoicehistories"


@pytest.fixture
def http(sandbox):
    with httpx.Client(base_url=sandbox.base_url, trust_env=False) as one:
        yield one


def token(http, client_id=None, **form):
    return http.post("/api/token", data=form, headers={"client_id": client_id} if client_id else {})


def refresh(http, refresh_token, client_id=None):
    return token(http, client_id, grant_type="refresh_token", refresh_token=refresh_token)


def status_with(http, access_token):
    return http.get(HISTORIES, params={"size": 1}, headers={"Authorization": f"Bearer {access_token}"}).status_code


def test_a_login_answers_a_token_that_opens_the_door(http, sandbox):
    sandbox.knobs.token_expires_in_seconds = 20_159
    answer = token(http, **LOGIN).json()
    assert answer.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 20_159)
    assert status_with(http, answer["access_token"]) == 200


def test_a_json_body_is_an_unsupported_grant_type(http):
    answer = http.post("/api/token", json=LOGIN)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("status", [400, 401])
def test_a_wrong_password_is_an_invalid_grant(http, sandbox, status):
    sandbox.knobs.bad_login_status = status
    answer = token(http, **(LOGIN | {"password": "wrong"}))
    assert (answer.status_code, answer.json()["error"]) == (status, "invalid_grant")


def test_a_second_factor_is_asked_for_and_checked(start_sandbox, sandbox_operator):
    # The secret, the instant and the code are a test vector of RFC 6238, appendix B.
    sandbox = start_sandbox(sandbox_operator, user=User(totp_secret=base64.b32encode(b"12345678901234567890").decode()))
    sandbox.clock.set(1_111_111_109)
    with httpx.Client(base_url=sandbox.base_url, trust_env=False) as http:
        assert token(http, **LOGIN).json()["error"] == "two_factor_auth_check"
        assert token(http, **LOGIN, totp="000000").json()["error"] == "invalid_grant"
        assert token(http, **LOGIN, totp="081804").status_code == 200


def test_a_refresh_token_works_once_and_with_its_client_id_only(http):
    first = token(http, "job-1", **LOGIN).json()
    assert refresh(http, first["refresh_token"]).status_code == 400
    assert refresh(http, first["refresh_token"], "job-2").status_code == 400
    second = refresh(http, first["refresh_token"], "job-1")
    assert second.status_code == 200
    assert refresh(http, first["refresh_token"], "job-1").json()["error"] == "invalid_grant"
    assert status_with(http, first["access_token"]) == 200


def test_without_a_header_the_client_id_of_a_login_is_the_user_name(http):
    answer = token(http, **LOGIN).json()
    assert refresh(http, answer["refresh_token"], "admin@example.com").status_code == 200


def test_two_jobs_with_one_client_id_end_each_others_refresh_tokens(http):
    mine, theirs = (token(http, "shared", **LOGIN).json()["refresh_token"] for _ in range(2))
    other = token(http, "own", **LOGIN).json()["refresh_token"]
    assert refresh(http, mine, "shared").status_code == 400
    assert refresh(http, theirs, "shared").status_code == 200
    assert refresh(http, other, "own").status_code == 200


def test_refresh_tokens_live_fifteen_days(http, sandbox):
    answer = token(http, "job", **LOGIN).json()
    sandbox.clock.advance(15 * 86_400)
    assert refresh(http, answer["refresh_token"], "job").status_code == 400


def test_an_access_token_ends_when_its_time_is_up(http, sandbox):
    sandbox.knobs.token_expires_in_seconds = 600
    access = token(http, **LOGIN).json()["access_token"]
    sandbox.clock.advance(599)
    assert status_with(http, access) == 200
    sandbox.clock.advance(1)
    assert status_with(http, access) == 401


def test_an_access_token_can_end_in_mid_sync(http, sandbox):
    sandbox.knobs.token_dies_after_requests = 3
    access = token(http, **LOGIN).json()["access_token"]
    assert [status_with(http, access) for _ in range(4)] == [200, 200, 200, 401]
    assert status_with(http, token(http, **LOGIN).json()["access_token"]) == 200


def test_tests_can_end_all_tokens_at_once(http, sandbox):
    access = token(http, **LOGIN).json()["access_token"]
    sandbox.tokens.end_access_tokens()
    assert status_with(http, access) == 401


def test_without_a_bearer_nobody_enters(http):
    assert http.get(HISTORIES).status_code == 401
    assert http.get(HISTORIES, auth=("admin@example.com", "sandbox")).status_code == 401


@pytest.mark.parametrize("status", [401, 403])
def test_each_endpoint_wants_its_role(http, sandbox, status):
    sandbox.knobs.missing_role_status = status
    headers = {"Authorization": f"Bearer {sandbox.tokens.issue()}"}
    asked = {
        "CoworkerInvoiceHistory-List": ("GET", HISTORIES),
        "CoworkerInvoiceHistory-Create": ("POST", HISTORIES),
        "CoworkerInvoiceHistory-Read": ("GET", f"{HISTORIES}/1"),
        "Business-List": ("GET", "/api/sys/businesses"),
    }
    for role in asked:
        sandbox.knobs.roles = f"Coworker-List, {role}"
        refused = {one for one, (verb, path) in asked.items() if _refused(http, verb, path, headers, status)}
        assert refused == asked.keys() - {role}


def _refused(http, verb, path, headers, status):
    return http.request(verb, path, headers=headers).status_code == status


def test_the_log_keeps_no_secret(http, sandbox):
    access = token(http, **LOGIN).json()["access_token"]
    http.get(HISTORIES, params={"size": 1, "access_token": access, "password": "sandbox"})
    logged = repr(list(sandbox.requests.seen))
    assert access in sandbox.tokens.issued
    assert not [secret for secret in (*sandbox.tokens.issued, "'sandbox'") if secret in logged]
