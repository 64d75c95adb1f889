"""A client that shares no line with ours gets the same from the same server."""

from datetime import UTC, datetime

import msgspec
import requests

from pipelines.extract.axes import UPDATED_ON, Filters
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES


def logged_in(sandbox):
    """A session of `requests`, as the API's own examples use it."""
    session = requests.Session()
    session.trust_env = False  # no proxy stands before the loopback
    form = {"grant_type": "password", "username": sandbox.username, "password": sandbox.password}
    answer = session.post(f"{sandbox.base_url}/api/token", data=form, timeout=5).json()
    session.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return session


def test_requests_reads_what_we_read(small_sandbox, client_for, settings_for):
    ours = EntitySource(client_for(small_sandbox), settings_for(small_sandbox.base_url), HISTORIES).search(
        Filters(UPDATED_ON, datetime(2025, 5, 1, tzinfo=UTC)), page=2, size=8, order_by="CreatedOn", direction=1
    )
    with logged_in(small_sandbox) as session:
        params = {"from_CoworkerInvoiceHistory_UpdatedOn": "2025-05-01T00:00", "page": 2, "size": 8}
        params |= {"orderBy": "CreatedOn", "dir": 1}
        theirs = session.get(small_sandbox.base_url + HISTORIES.path, params=params, timeout=5).json()
    assert [msgspec.json.decode(record.raw) for record in ours.records] == theirs["Records"]
    assert (ours.total_items, ours.page, len(ours.records)) == (theirs["TotalItems"], 2, 8)


def test_what_requests_writes_we_read(small_sandbox, client_for, settings_for):
    histories = EntitySource(client_for(small_sandbox), settings_for(small_sandbox.base_url), HISTORIES)
    entry = {
        "CoworkerInvoiceId": next(iter(small_sandbox.store.invoices)),
        "Name": "Called",
        "Description": "On holiday",
    }
    with logged_in(small_sandbox) as session:
        refused = session.post(small_sandbox.base_url + HISTORIES.path, json={**entry, "Name": ""}, timeout=5)
        created = session.post(small_sandbox.base_url + HISTORIES.path, json=entry, timeout=5).json()
    assert (refused.status_code, refused.json()["Errors"][0]["PropertyName"]) == (400, "Name")
    found = histories.search(Filters(keys=(entry["CoworkerInvoiceId"],)))
    assert {one.id: one.description for one in found.records}[created["Value"]["Id"]] == "On holiday"
