"""What every request passes on its way in and out: the log, the pace, faults, login and role, the Date header."""

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.answers import json_answer
from pipelines.sandbox.broken_answers import Reset, server_error, throttled
from pipelines.sandbox.emulator import Sandbox, Seen
from pipelines.sandbox.faults import ERRORS, THROTTLES

Handler = Callable[[Request, Seen, str], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Gate:
    """Wraps the handlers of one sandbox. A handler gets the request, its line in the log and the user's name."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def guarded(self, role: str, handler: Handler) -> Endpoint:
        """An endpoint that lets through who has the role."""

        async def endpoint(request: Request) -> Response:
            seen = self.note(request)
            answer = await self._trouble(request, seen)
            if answer is None:
                answer, username = self._admit(request, role)
                answer = answer or await handler(request, seen, username)
            return self.dated(seen, answer)

        return endpoint

    def note(self, request: Request) -> Seen:
        """The request's new line in the log."""
        return self.sandbox.requests.note(
            request.method, request.url.path, request.query_params, self.sandbox.clock.exact()
        )

    def dated(self, seen: Seen, answer: Response) -> Response:
        """The answer with its Date header, its status in the log."""
        seen.status = 0 if isinstance(answer, Reset) else answer.status_code
        if self.sandbox.knobs.date_header:
            answer.headers["Date"] = formatdate(self.sandbox.server_now(), usegmt=True)
        return answer

    async def _trouble(self, request: Request, seen: Seen) -> Response | None:
        """The answer that keeps the request from being looked at, if it meets with one."""
        sandbox, is_write = self.sandbox, request.method != "GET"
        wait = sandbox.limits.wait_seconds(sandbox.clock.exact(), is_write=is_write)
        if wait > 0:
            seen.fault = "limit"
            return throttled(sandbox.knobs.limit_form, wait, sandbox.server_now())
        seen.fault = sandbox.faults.first(THROTTLES)
        if seen.fault:
            form = seen.fault.removeprefix("throttle_")
            return throttled(form, sandbox.knobs.throttle_wait_seconds, sandbox.server_now())
        if is_write:
            # A write that breaks has faults of its own, which say whether the row was made.
            return None
        if sandbox.faults.happens("slow"):
            seen.fault = "slow"
            await asyncio.sleep(sandbox.knobs.slow_seconds)
        fault = sandbox.faults.first((*ERRORS, "reset"))
        seen.fault = fault or seen.fault
        if fault == "reset":
            return Reset()
        return server_error(int(fault.removeprefix("error_"))) if fault else None

    def _admit(self, request: Request, role: str) -> tuple[Response | None, str]:
        """The 401 or 403 that the request deserves, or None; and the user's name."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            return json_answer({"Message": "Authorization has been denied for this request."}, 401), ""
        username = self.sandbox.tokens.user_of(token.strip()) if scheme.lower() == "bearer" else None
        if username is None:
            # Live tenants have answered so, without a word.
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"}), ""
        roles = {one.strip() for one in self.sandbox.knobs.roles.split(",")}
        if roles & {"*", role}:
            return None, username
        status = self.sandbox.knobs.missing_role_status
        return json_answer({"Message": f"The role {role} is required."}, status), username
