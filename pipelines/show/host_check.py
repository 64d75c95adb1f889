"""What every request to the dashboard passes: who may be named as host, which page may ask, and in no frame."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'; object-src 'none'; base-uri 'self'",
    "X-Content-Type-Options": "nosniff",
    # The address of a page names a business or an invoice.
    "Referrer-Policy": "same-origin",
}


class HostCheck:
    """Refuses another host's name (DNS rebinding) and another site's page before Streamlit sees the request.

    Streamlit itself would ask an address service on the internet whether a foreign origin is this machine.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """`hosts` are the names, without port, by which the dashboard may be called."""
        self._app, self._hosts = app, {host.lower().strip("[]") for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on and add headers to the answer."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008)(scope, receive, send)
        else:
            await PlainTextResponse(refusal, 403)(scope, receive, _with_headers(send))

    def _refusal(self, headers: Headers) -> str | None:
        host, origins = headers.get("host", ""), headers.getlist("origin")
        try:
            name = urlsplit(f"//{host}").hostname
            foreign = [one for one in origins if urlsplit(one).netloc.lower() != host.lower()]
        except ValueError:
            name, foreign = None, []
        if name not in self._hosts:
            return "The dashboard is not called by this name: add it to NEXUDUS_DASHBOARD_HOSTS if it should be.\n"
        return "Another site's page may not ask the dashboard.\n" if foreign else None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending
