from datetime import timedelta

import pytest


@pytest.fixture
def api(api):
    api.sandbox.knobs.enforce_limits = True
    return api


def passed(api, count, *, apart):
    """How many of `count` requests, so many seconds apart, were let through."""
    statuses = []
    for _ in range(count):
        statuses.append(api.get(size=1).status_code)
        api.sandbox.clock.advance(apart)
    return statuses.count(200)


def test_two_requests_within_100_ms_are_one_too_many(api):
    assert passed(api, 5, apart=0) == 1
    api.sandbox.clock.advance(0.1)
    assert passed(api, 5, apart=0.1) == 5


def test_so_many_in_any_minute(api):
    api.sandbox.knobs.requests_per_minute = 20
    assert passed(api, 30, apart=0.1) == 20
    answer = api.get(size=1)
    assert (answer.status_code, answer.content) == (409, b"")
    api.sandbox.clock.advance(float(answer.headers["Retry-After"]))
    assert api.get(size=1).status_code == 200
    assert api.sandbox.requests.data()[-2].fault == "limit"


@pytest.mark.parametrize(("knob", "span"), [("requests_per_hour", 3600), ("requests_per_day", 86_400)])
def test_so_many_in_any_hour_and_day(api, knob, span):
    setattr(api.sandbox.knobs, knob, 10)
    assert passed(api, 12, apart=1) == 10
    api.sandbox.clock.advance(timedelta(seconds=span))
    assert passed(api, 1, apart=0) == 1


def test_writes_have_limits_of_their_own(api):
    api.sandbox.knobs.writes_per_minute = 3
    statuses = []
    for _ in range(5):
        statuses.append(api.create().status_code)
        api.sandbox.clock.advance(1)
    assert statuses == [400, 400, 400, 409, 409]
    assert api.get(size=1).status_code == 200


def test_the_form_of_the_answer_can_be_chosen_and_0_is_no_limit(api):
    api.sandbox.knobs.limit_form = "429"
    api.get()
    assert "Wait 0.100 seconds" in api.get().text
    api.sandbox.knobs.requests_per_100_ms = 0
    assert passed(api, 20, apart=0) == 20
