"""Starting the dashboard's server, and what is said where that cannot be."""

import socket
import sys

import pytest

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.show.serving import serve


def test_without_the_dashboards_part_of_the_program_it_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "streamlit.web", None)
    monkeypatch.setitem(sys.modules, "streamlit", None)

    with pytest.raises(WrongUseError, match=r"pip install 'nexudus-billing\[dashboard\]'"):
        serve(tmp_path / "analytics.duckdb")


def test_a_port_that_another_program_has_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(TryAgainLaterError, match=f"Port {port} is taken"):
            serve(tmp_path / "analytics.duckdb", port)
