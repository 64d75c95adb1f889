import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pipelines.sandbox.entities import Operator
from pipelines.sandbox.server import running_sandbox, serve

PROGRAM = """
from pipelines.sandbox.server import serve
serve(port=0, size=500, months=1, profile="busy", insert_rate=0, on_ready=lambda one: print(one.base_url, flush=True))
"""


def test_it_starts_on_a_free_port_and_leaves_nothing_behind(sandbox_operator):
    threads = threading.active_count()
    with running_sandbox(sandbox_operator) as one, running_sandbox(sandbox_operator) as other:
        assert one.base_url != other.base_url
        assert httpx.get(f"{one.base_url}/api/nothing", trust_env=False).status_code == 404
    assert threading.active_count() == threads
    with pytest.raises(httpx.ConnectError):
        httpx.get(one.base_url, trust_env=False)


def test_a_given_port_is_used_and_a_taken_one_is_refused(sandbox_operator):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="in use"), running_sandbox(sandbox_operator, port=port):
            pass
        with pytest.raises(OSError, match="in use"):
            serve(port=port)
    with running_sandbox(sandbox_operator, port=port) as one:
        assert one.base_url.endswith(f":{port}")


def test_an_operator_without_rows_answers_an_empty_page(start_sandbox, connect):
    api = connect(start_sandbox(Operator([], [], [], until=1_750_000_000)))
    answer = api.search(orderBy="UpdatedOn")
    assert (answer["Records"], answer["TotalItems"], answer["TotalPages"]) == ([], 0, 0)


def test_the_environment_points_to_it(sandbox_environment):
    assert os.environ["NEXUDUS_BASE_URL"] == sandbox_environment.base_url
    assert (os.environ["NEXUDUS_USERNAME"], os.environ["NEXUDUS_PASSWORD"]) == ("admin@example.com", "sandbox")


def test_in_a_process_of_its_own_it_shows_the_truth_obeys_knobs_and_stops_on_a_signal():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        base_url = process.stdout.readline().strip()
        with httpx.Client(base_url=base_url, trust_env=False) as http:
            truth = http.get("/sandbox/truth").json()
            assert 500 <= len(truth) < 700
            now = datetime.fromisoformat(http.get("/sandbox/clock").json()["now"])
            assert abs(now - datetime.now(UTC)) < timedelta(seconds=60)
            assert max(record["UpdatedOn"] for record in truth) > (now - timedelta(days=3)).isoformat()
            knobs = http.patch("/sandbox/knobs", json={"error_500_rate": 1.0}).json()
            assert (knobs["error_500_rate"], knobs["update_rate"], knobs["insert_rate"]) == (1.0, 0.5, 0.0)
            assert http.patch("/sandbox/knobs", json={"error_500_rate": 2}).status_code == 400
            assert http.get("/api/billing/coworkerinvoicehistories").status_code == 500
            seen = http.get("/sandbox/requests").json()
            assert (seen["data_count"], seen["requests"][0]["fault"]) == (1, "error_500")
            before = http.get("/sandbox/clock").json()["now"]
            after = http.post("/sandbox/clock", params={"advance_seconds": 3600}).json()["now"]
            span = datetime.fromisoformat(after) - datetime.fromisoformat(before)
            assert timedelta(hours=1) <= span < timedelta(hours=1, minutes=1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
