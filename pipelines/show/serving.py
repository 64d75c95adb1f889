"""Starts the dashboard's server: this machine only, or behind a sign-in; and without calls to other hosts."""

import os
from collections.abc import Callable
from pathlib import Path

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.loopback import is_this_machine
from pipelines.settings import Settings, listed

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
    settings: Settings,
    on_ready: Callable[[], object] = lambda: None,
) -> None:
    """Serve the dashboard of a published file until stopped; `on_ready` is called once nothing stands against it.

    Raises TryAgainLaterError where the port is taken, WrongUseError where Streamlit is not installed or the address is
    beyond this machine and no sign-in is set up.
    """
    try:
        from streamlit.starlette import App  # noqa: PLC0415 - Streamlit takes a second to import
    except ImportError:
        raise WrongUseError(
            "The dashboard's part of the program is not installed: run `pip install 'nexudus-billing[dashboard]'`."
        ) from None
    if not 0 < port < 2**16:
        raise WrongUseError(f"{port} is not a port: choose one from 1 to 65535.")
    hosts = listed(settings.dashboard_hosts)
    if not is_this_machine(address) and not (settings.dashboard_users and hosts and _has_sign_in()):
        raise WrongUseError(
            f"{address} can be reached from other machines, so the dashboard needs a sign-in there: set it up under "
            "[auth] in .streamlit/secrets.toml, and set NEXUDUS_DASHBOARD_USERS and NEXUDUS_DASHBOARD_HOSTS "
            "(docs/dashboard.md). Or leave out --address and reach it through a tunnel."
        )
    if _is_taken(address, port):
        raise TryAgainLaterError(f"Port {port} is taken: choose another with --port.")
    on_ready()
    os.environ[FILE_VARIABLE] = str(analytics)
    options = _OPTIONS | {"server.port": port, "server.address": address}
    from starlette.middleware import Middleware  # noqa: PLC0415 - it comes with Streamlit

    from pipelines.show.first_paint import FirstPaint, first_page  # noqa: PLC0415 - as above
    from pipelines.show.host_check import HostCheck  # noqa: PLC0415 - as above

    check = Middleware(HostCheck, hosts={LOOPBACK, "localhost", "::1", address, *hosts})
    App(_APP, middleware=[check, Middleware(FirstPaint, page=first_page())]).run(config=options)


def _has_sign_in() -> bool:
    from streamlit.runtime.secrets import secrets_singleton  # noqa: PLC0415 - see above

    return secrets_singleton.load_if_toml_exists() and bool(secrets_singleton.get("auth"))


def _is_taken(address: str, port: int) -> bool:
    import socket  # noqa: PLC0415 - needed here only

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False
