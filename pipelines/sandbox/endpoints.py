"""The endpoints: token, search of the histories. Each answers from one instant of the store."""

from email.utils import formatdate
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.sandbox.emulator import HISTORIES, Sandbox
from pipelines.sandbox.questions import BadQuestionError, Reading, read_question
from pipelines.sandbox.search import search
from pipelines.sandbox.tokens import GrantRefusedError
from pipelines.sandbox.wire import ENCODER, encode_records, envelope


def json_answer(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - whatever JSON can say
    """A JSON answer."""
    return Response(ENCODER.encode(content), status, media_type="application/json; charset=utf-8")


def validation_answer(errors: list[tuple[str, Any, str]]) -> Response:
    """The 400 body of the create page, from (property, attempted value, message)."""
    return json_answer(
        {
            "Message": ", ".join(f"{name}: {message}" for name, _, message in errors),
            "Value": None,
            "Errors": [
                {"AttemptedValue": value, "Message": message, "PropertyName": name} for name, value, message in errors
            ],
            "WasSuccessful": False,
        },
        400,
    )


class Endpoints:
    """The handlers of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._ties = Random(f"{sandbox.knobs.seed}:ties")  # noqa: S311 - repeatable chance, no secret

    async def token(self, request: Request) -> Response:
        """`POST /api/token`, form-encoded."""
        seen = self._note(request)
        form = {}
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        try:
            answer = json_answer(self.sandbox.tokens.grant(form, request.headers.get("client_id")))
        except GrantRefusedError as refused:
            answer = json_answer({"error": refused.error, "error_description": refused.description}, refused.status)
        return self._dated(seen, answer)

    async def search(self, request: Request) -> Response:
        """`GET /api/billing/coworkerinvoicehistories`."""
        seen = self._note(request)
        refused = self._refusal(request, "CoworkerInvoiceHistory-List")
        return self._dated(seen, refused or self._found(request, seen))

    def _found(self, request: Request, seen: Any) -> Response:  # noqa: ANN401
        knobs = self.sandbox.knobs
        reading = Reading(knobs.range_end, knobs.filter_time_zone, knobs.dir_convention, knobs.max_page_size)
        try:
            question = read_question(request.query_params, reading)
        except BadQuestionError as bad:
            return validation_answer([(bad.property_name, bad.value, str(bad))])
        with self.sandbox.store.lock:
            found = search(self.sandbox.store, question, shuffle=self._ties if knobs.shuffle_ties else None)
            body = envelope(
                encode_records(found.entries),
                page=question.page,
                size=question.size,
                order_by=question.order_by,
                direction=question.direction,
                count=len(found.entries),
                total=found.total,
            )
        seen.record_count = len(found.entries)
        return Response(b"".join(body), media_type="application/json; charset=utf-8")

    def _refusal(self, request: Request, role: str) -> Response | None:
        """The 401 or 403 that the request deserves, or None."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            return json_answer({"Message": "Authorization has been denied for this request."}, 401)
        if scheme.lower() != "bearer" or self.sandbox.tokens.user_of(token.strip()) is None:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        roles = {one.strip() for one in self.sandbox.knobs.roles.split(",")}
        if "*" in roles or role in roles:
            return None
        return json_answer({"Message": f"{role} is required."}, self.sandbox.knobs.missing_role_status)

    def _note(self, request: Request) -> Any:  # noqa: ANN401
        return self.sandbox.requests.note(
            request.method, request.url.path, dict(request.query_params), self.sandbox.clock.exact()
        )

    def _dated(self, seen: Any, answer: Response) -> Response:  # noqa: ANN401
        seen.status = answer.status_code
        if self.sandbox.knobs.date_header:
            now = self.sandbox.clock.exact() + self.sandbox.knobs.date_header_skew_seconds
            answer.headers["Date"] = formatdate(now, usegmt=True)
        return answer


def application(sandbox: Sandbox) -> Starlette:
    """The ASGI application of a sandbox."""
    endpoints = Endpoints(sandbox)
    return Starlette(
        routes=[
            Route("/api/token", endpoints.token, methods=["POST"]),
            Route(HISTORIES, endpoints.search, methods=["GET"]),
        ]
    )
