"""A small client that speaks HTTP to the sandbox over a socket, and the fixtures of the package."""

from contextlib import ExitStack, closing

import httpx
import pytest

from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.pytest_plugin import (  # noqa: F401 - pytest finds fixtures by their names here
    sandbox,
    sandbox_environment,
    sandbox_knobs,
    sandbox_operator,
    start_sandbox,
)
from pipelines.sandbox.server import running_sandbox

HISTORIES = "/api/billing/coworkerinvoicehistories"


class Api:
    """What tests ask of the API, logged in with a token that needed no login."""

    def __init__(self, running):
        self.sandbox = running
        self.http = httpx.Client(base_url=running.base_url, timeout=5, trust_env=False)
        self.http.headers["Authorization"] = f"Bearer {running.tokens.issue()}"

    def get(self, **params):
        """The raw answer to a search."""
        return self.http.get(HISTORIES, params=params)

    def search(self, **params):
        """The envelope of a search that must succeed."""
        answer = self.get(**params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self):
        self.http.close()

    def ids(self, **params):
        return [record["Id"] for record in self.search(**params)["Records"]]

    def create(self, **fields):
        return self.http.post(HISTORIES, json=fields)


@pytest.fixture
def connect():
    """Makes an `Api` of a sandbox; all end with the test."""
    with ExitStack() as stack:
        yield lambda sandbox: stack.enter_context(closing(Api(sandbox)))


@pytest.fixture
def api(sandbox, connect):  # noqa: F811 - asks for the fixture imported above
    return connect(sandbox)


@pytest.fixture(scope="module")
def quiet_api():
    """A sandbox shared by the tests of a module, which only read."""
    with running_sandbox(make_operator(size=1500, months=4)) as shared:
        shared.clock.freeze(shared.store.until)
        with closing(Api(shared)) as one:
            yield one
