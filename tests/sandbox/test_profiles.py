"""What the docs promise of the profiles: a plain, honest reader finds every row that did not move meanwhile."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pipelines.sandbox.history_list import HISTORY_LIST
from pipelines.sandbox.knobs import PROFILES, make_knobs
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.wire import instant

LOGIN = {"grant_type": "password", "username": "admin@example.com", "password": "sandbox"}


class Reader:
    """Asks again after whatever passes by itself, logs in again after a 401."""

    def __init__(self, base_url):
        self.http = httpx.Client(base_url=base_url, trust_env=False)
        self.failures = 0

    def rows(self, **params):
        for _ in range(20):
            try:
                answer = self.http.get(HISTORY_LIST.path, params=params)
            except httpx.TransportError:
                self.failures += 1
                continue
            if answer.status_code == 200:
                return answer.json()["Records"]
            self.failures += 1
            if answer.status_code == 401:
                token = self.http.post("/api/token", data=LOGIN).json()["access_token"]
                self.http.headers["Authorization"] = f"Bearer {token}"
        raise AssertionError("twenty failures in a row")

    def ascending(self):
        """The value of `dir` that gives the oldest first."""
        first = {value: self.rows(orderBy="CreatedOn", dir=value, size=1)[0]["CreatedOn"][:19] for value in (0, 1)}
        return min(first, key=first.get)

    def read(self, start, end):
        """Ids of all rows updated in [start, end), by always asking for page 1 of what is still open."""
        ids, direction = set(), self.ascending()
        while True:
            rows = self.rows(
                from_CoworkerInvoiceHistory_UpdatedOn=f"{start:%Y-%m-%dT%H:%M}",
                to_CoworkerInvoiceHistory_UpdatedOn=f"{end:%Y-%m-%dT%H:%M}",
                orderBy="UpdatedOn",
                dir=direction,
                size=500,
            )
            ids |= {row["Id"] for row in rows}
            if len(rows) < 500:
                return ids
            last = datetime.fromisoformat(rows[-1]["UpdatedOn"][:16]).replace(tzinfo=UTC)
            assert last > start
            start = last


@pytest.mark.parametrize("profile", PROFILES)
def test_every_row_that_stayed_is_read(start_sandbox, profile):
    sandbox = start_sandbox(make_operator(size=15_000, months=12), make_knobs(profile, slow_seconds=0.01))
    start, end = datetime(2024, 1, 1, tzinfo=UTC), instant(sandbox.store.until) - timedelta(minutes=5)
    reader = Reader(sandbox.base_url)
    with reader.http:
        ids = reader.read(start, end)
    stayed = {record["Id"] for record in sandbox.store.truth() if record["UpdatedOn"] < end}
    assert len(stayed) > 14_000
    assert stayed <= ids
    assert (profile == "hostile") <= (reader.failures > 0 and sandbox.store.changes["delete"] > 0)
