"""A client that shares no line with ours gets the same from the same server."""

import msgspec
import requests

from pipelines.extract.failures import HISTORIES_PATH
from pipelines.extract.histories import Histories, HistoryFilters


def logged_in(sandbox):
    """A session of `requests`, as the API's own examples use it."""
    session = requests.Session()
    session.trust_env = False  # no proxy stands before the loopback
    form = {"grant_type": "password", "username": sandbox.username, "password": sandbox.password}
    answer = session.post(f"{sandbox.base_url}/api/token", data=form, timeout=5).json()
    session.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return session


def test_requests_reads_what_we_read(small_sandbox, client_for, settings_for):
    ours = Histories(client_for(small_sandbox), settings_for(small_sandbox.base_url)).search(
        HistoryFilters(is_problem=True), page=2, size=8, order_by="CreatedOn", direction=1
    )
    with logged_in(small_sandbox) as session:
        params = {"CoworkerInvoiceHistory_IsProblem": "true", "page": 2, "size": 8, "orderBy": "CreatedOn", "dir": 1}
        theirs = session.get(small_sandbox.base_url + HISTORIES_PATH, params=params, timeout=5).json()
    assert [msgspec.json.decode(record.raw) for record in ours.records] == theirs["Records"]
    assert (ours.total_items, ours.page, len(ours.records)) == (theirs["TotalItems"], 2, 8)


def test_what_requests_writes_we_read(small_sandbox, client_for, settings_for):
    histories = Histories(client_for(small_sandbox), settings_for(small_sandbox.base_url))
    entry = {
        "CoworkerInvoiceId": next(iter(small_sandbox.store.invoices)),
        "Name": "Called",
        "Description": "On holiday",
    }
    with logged_in(small_sandbox) as session:
        refused = session.post(small_sandbox.base_url + HISTORIES_PATH, json={**entry, "Name": ""}, timeout=5)
        created = session.post(small_sandbox.base_url + HISTORIES_PATH, json=entry, timeout=5).json()
    assert (refused.status_code, refused.json()["Errors"][0]["PropertyName"]) == (400, "Name")
    assert histories.get_one(created["Value"]["Id"]).description == "On holiday"
