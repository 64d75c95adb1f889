"""The addresses of the API and who answers there."""

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.sandbox.broken_answers import TRANSPORT
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.endpoints import ReadingEndpoints
from pipelines.sandbox.gate import Gate
from pipelines.sandbox.history_list import HISTORY_LIST
from pipelines.sandbox.truth_view import TruthView
from pipelines.sandbox.writing import WritingEndpoints

_HISTORIES = HISTORY_LIST.path
_ONE = _HISTORIES + "/{entry_id:int}"


def application(sandbox: Sandbox) -> ASGIApp:
    """The ASGI application of a sandbox."""
    gate = Gate(sandbox)
    reading, writing, behind = ReadingEndpoints(sandbox, gate), WritingEndpoints(sandbox), TruthView(sandbox)
    role = "CoworkerInvoiceHistory-"
    routes = Starlette(
        routes=[
            Route("/api/token", reading.token, methods=["POST"]),
            Route(_HISTORIES, gate.guarded(f"{role}Create", writing.create), methods=["POST"]),
            Route(_HISTORIES, gate.guarded(f"{role}Edit", writing.update), methods=["PUT"]),
            Route(_ONE, gate.guarded(f"{role}Read", reading.get_one), methods=["GET"]),
            Route(_ONE, gate.guarded(f"{role}Delete", writing.delete), methods=["DELETE"]),
            Route("/api/sys/businesses", gate.guarded("Business-List", reading.businesses), methods=["GET"]),
            Route("/api/{list:path}", reading.listed, methods=["GET"]),
            Route("/sandbox/truth", behind.truth),
            Route("/sandbox/truth/invoices", behind.invoice_truth),
            Route("/sandbox/requests", behind.requests),
            Route("/sandbox/knobs", behind.knobs, methods=["GET", "PATCH"]),
            Route("/sandbox/clock", behind.clock, methods=["GET", "POST"]),
        ]
    )

    async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI has no word for resetting a connection; uvicorn's `send` is bound to what holds the transport.
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await routes(scope, receive, send)

    return with_transport
