"""Answers as they should not be: throttling in every form, HTML where JSON belongs, bodies cut, connections reset."""

import asyncio
import contextlib
import math
import socket
import struct
from email.utils import formatdate
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

TRANSPORT = "sandbox.transport"
_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>{1}</p></body></html>"
_REASONS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


def throttled(form: str, wait_seconds: float, now: float) -> Response:
    """The answer to a request that comes too early; `now` is what the Date header says."""
    whole = str(math.ceil(wait_seconds))
    match form:
        case "409":
            return Response(status_code=409, headers={"Retry-After": whole})
        case "date":
            at = formatdate(math.ceil(now + wait_seconds), usegmt=True)
            return Response(status_code=409, headers={"Retry-After": at})
        case "429":
            text = f"API calls quota exceeded. Wait {wait_seconds:.3f} seconds."
            return Response(text, 429, media_type="text/plain")
        case "503":
            return _html(503, _REASONS[503], "Try again later.", {"Retry-After": whole})
        case _:
            return Response(status_code=409)


def server_error(status: int) -> Response:
    """A proxy's or server's page for 500, 502 or 503."""
    return _html(status, _REASONS[status], "The server could not complete your request.")


def login_page() -> Response:
    """200, and a page that asks to sign in."""
    return _html(200, "Sign in", '<form action="/login" method="post"><input name="email"><button>Next</button></form>')


def cut(answer: Response) -> Response:
    """The same answer with the last third of its body missing, and a length that fits."""
    whole = bytes(answer.body)
    return Response(whole[: len(whole) * 2 // 3], answer.status_code, media_type=answer.media_type)


def _html(status: int, title: str, text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(_PAGE.format(title, text), status, headers, media_type="text/html; charset=utf-8")


class Reset(Response):
    """Resets the connection: before any answer, or in the middle of the body of the answer that it replaces."""

    def __init__(self, instead_of: Response | None = None) -> None:
        super().__init__(b"" if instead_of is None else bytes(instead_of.body))
        self._answers = instead_of is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is to send, then cut the line."""
        if self._answers:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
            # What is still in the kernel's buffers would be lost with the line, and the answer never have begun.
            await asyncio.sleep(0.01)
        _abort(scope[TRANSPORT])
        while (await receive())["type"] != "http.disconnect":
            pass


def _abort(transport: Any) -> None:  # noqa: ANN401 - asyncio's or uvloop's
    """Close with RST rather than FIN, as a connection that breaks does."""
    line = transport.get_extra_info("socket")
    # A client that has given up meanwhile has left nothing to cut: OSError, or uvloop's ValueError.
    with contextlib.suppress(OSError, ValueError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
