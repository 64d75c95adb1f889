"""Starting the dashboard's server, and what is said where that cannot be."""

import socket
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.settings import Settings
from pipelines.show.serving import serve


def test_without_the_dashboards_part_of_the_program_it_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "streamlit.starlette", None)
    monkeypatch.setitem(sys.modules, "streamlit", None)

    with pytest.raises(WrongUseError, match=r"pip install 'nexudus-billing\[dashboard\]'"):
        serve(tmp_path / "analytics.duckdb", settings=Settings())


def test_a_port_that_another_program_has_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(TryAgainLaterError, match=f"Port {port} is taken"):
            serve(tmp_path / "analytics.duckdb", port, settings=Settings())


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", "::"])
@pytest.mark.parametrize("users", ["", "ada@example.com"])
def test_beyond_this_machine_it_asks_for_a_sign_in_or_does_not_start(tmp_path, monkeypatch, address, users):
    monkeypatch.chdir(tmp_path)
    settings = Settings(dashboard_users=users, dashboard_hosts="figures.example.com")

    with pytest.raises(WrongUseError, match=r"needs a sign-in there: set it up under \[auth\]"):
        serve(tmp_path / "analytics.duckdb", 8501, address, settings=settings)


WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def answered(dashboard: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status of a request, and what it says about frames."""
    connection = HTTPConnection(urlsplit(dashboard).netloc, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    framing = f"{answer.headers['X-Frame-Options']} {answer.headers['Content-Security-Policy']}"
    connection.close()
    return answer.status, framing


def test_something_can_be_read_before_any_script_runs(dashboard, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(dashboard)
    assert page.locator("h1").inner_text() == "Payment failures"
    assert page.get_by_text("The figures are being read").is_visible()
    context.close()


def test_the_dashboard_answers_only_its_own_pages_by_its_own_name(dashboard):
    own = urlsplit(dashboard).netloc
    for path, more in [("/", {}), ("/_stcore/health", {}), ("/_stcore/stream", WEBSOCKET)]:
        assert answered(dashboard, path, more | {"Origin": dashboard})[0] in {101, 200}, path
        assert answered(dashboard, path, more | {"Origin": "https://other.example"})[0] == 403
        assert answered(dashboard, path, more | {"Origin": "http://localhost:3000"})[0] == 403
        assert answered(dashboard, path, more | {"Origin": "null"})[0] == 403
        assert answered(dashboard, path, more | {"Host": f"rebound.example:{own.partition(':')[2]}"})[0] == 403

    status, framing = answered(dashboard, "/", {})
    assert status == 200
    assert framing.startswith("DENY frame-ancestors 'none'")
