"""Starts the dashboard's server: reachable from this machine only by default, and without calls to other hosts."""

import os
from collections.abc import Callable
from pathlib import Path

from pipelines.errors import TryAgainLaterError, WrongUseError

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8501
FILE_VARIABLE = "NEXUDUS_ANALYTICS"
_APP = Path(__file__).with_name("dashboard_app.py")
_OPTIONS = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": False,
    "server.maxUploadSize": 1,
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showSidebarNavigation": False,
    "logger.level": "warning",
    # To print its welcome Streamlit asks the internet for its own address.
    "logger.hideWelcomeMessage": True,
    "theme.light.primaryColor": "#0072B2",
    "theme.light.linkColor": "#005A8E",
    "theme.light.backgroundColor": "#FFFFFF",
    "theme.light.secondaryBackgroundColor": "#F2F5F8",
    "theme.light.textColor": "#1B2733",
    "theme.dark.primaryColor": "#56B4E9",
    "theme.dark.linkColor": "#7CC4EE",
    "theme.dark.backgroundColor": "#12181F",
    "theme.dark.secondaryBackgroundColor": "#1D2630",
    "theme.dark.textColor": "#E8EDF2",
}


def serve(
    analytics: Path,
    port: int = DEFAULT_PORT,
    address: str = LOOPBACK,
    *,
    on_ready: Callable[[], object] = lambda: None,
) -> None:
    """Serve the dashboard of a published file until stopped; `on_ready` is called once nothing stands against it.

    Raises TryAgainLaterError where the port is taken, WrongUseError where Streamlit is not installed.
    """
    try:
        from streamlit.web import bootstrap  # noqa: PLC0415 - Streamlit takes a second to import
    except ImportError:
        raise WrongUseError(
            "The dashboard's part of the program is not installed: run `pip install 'nexudus-billing[dashboard]'`."
        ) from None
    if not 0 < port < 2**16:
        raise WrongUseError(f"{port} is not a port: choose one from 1 to 65535.")
    if _is_taken(address, port):
        raise TryAgainLaterError(f"Port {port} is taken: choose another with --port.")
    on_ready()
    os.environ[FILE_VARIABLE] = str(analytics)
    options = _OPTIONS | {"server.port": port, "server.address": address}
    bootstrap.load_config_options(options)
    bootstrap.run(str(_APP), False, [], options)


def _is_taken(address: str, port: int) -> bool:
    import socket  # noqa: PLC0415 - needed here only

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False
