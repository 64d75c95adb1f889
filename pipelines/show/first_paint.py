"""The page that a browser gets first: Streamlit's own, with a line to read while its scripts are loaded."""

from pathlib import Path

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_ROOT = '<div id="root">'
# Streamlit replaces what is in the root as soon as it runs.
_MEANWHILE = (
    "<style>:root { color-scheme: light dark; } #root > h1 { font: 600 20px/1.4 sans-serif; margin: 44px 80px 0; }"
    " #root > p { font: 15px/1.4 sans-serif; margin: 12px 80px; }"
    " @media (max-width: 640px) { #root > h1, #root > p { margin-left: 16px; margin-right: 16px; } }</style>"
    "<h1>Payment failures</h1><p>The figures are being read …</p>"
)


def first_page() -> str:
    """Streamlit's page with something readable in it."""
    import streamlit  # noqa: PLC0415 - it takes a second to import

    page = Path(streamlit.__file__).with_name("static") / "index.html"
    return page.read_text(encoding="utf-8").replace(_ROOT, _ROOT + _MEANWHILE, 1)


class FirstPaint:
    """Answers the first request of a browser; everything else is Streamlit's."""

    def __init__(self, app: ASGIApp, page: str) -> None:
        """`page` is what to answer with."""
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET":
            await HTMLResponse(self._page, headers={"Cache-Control": "no-cache"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)
