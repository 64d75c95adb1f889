"""The writing endpoints: create, update and delete a history entry, with the ways in which a write goes wrong."""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.answers import Invalid, message_answer, validation_answer, written_answer
from pipelines.sandbox.broken_answers import Reset, cut
from pipelines.sandbox.emulator import Sandbox, Seen
from pipelines.sandbox.wire import instant

_OOPS = "Ooops! There was a problem processing your request. Please try again."
_REQUIRED = {"CoworkerInvoiceId": int, "Name": str, "Description": str}
_OPTIONAL = {"IsProblem": bool, "Notify": bool}
_BEFORE = ("write_500_before", "write_refused", "write_reset_before", "write_late_before")
_AFTER = ("write_500_after", "write_reset_after", "write_late_after", "write_cut_after")


class WritingEndpoints:
    """Create, update and delete of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def create(self, request: Request, seen: Seen, username: str) -> Response:
        """`POST /api/billing/coworkerinvoicehistories`."""
        faults = self.sandbox.faults
        body = _json_object(await request.body())
        errors = self._errors(body)
        if errors:
            return validation_answer(errors)
        seen.fault = faults.first(_BEFORE)
        if seen.fault:
            return await self._failed(seen.fault)
        return await self._made(body, seen, username)

    async def _made(self, body: dict[str, Any], seen: Seen, username: str) -> Response:
        """The row, and the answer that tells of it, unless that goes wrong."""
        faults = self.sandbox.faults
        is_late = faults.happens("write_made_late")
        if is_late:
            await asyncio.sleep(self.sandbox.knobs.slow_seconds)
        entry = self.sandbox.store.insert(
            body["CoworkerInvoiceId"],
            body["Name"],
            body["Description"],
            is_problem=bool(body.get("IsProblem")),
            notify=bool(body.get("Notify")),
            updated_by=username,
        )
        answer = written_answer("created", entry.id, instant(entry.updated_on), username)
        seen.fault = "write_made_late" if is_late else faults.first(_AFTER)
        match seen.fault:
            case "":
                return answer
            case "write_made_late":
                return Reset()
            case "write_cut_after":
                return cut(answer)
            case "write_late_after":
                await asyncio.sleep(self.sandbox.knobs.slow_seconds)
                return answer
            case _:
                return await self._failed(seen.fault)

    async def update(self, request: Request, _seen: Seen, username: str) -> Response:
        """`PUT /api/billing/coworkerinvoicehistories`, with the Id and all required fields in the body."""
        body = _json_object(await request.body())
        if not isinstance(body.get("Id"), int):
            return validation_answer([Invalid("Id", body.get("Id"), "is a required field")])
        errors = self._errors(body)
        if errors:
            return validation_answer(errors)
        try:
            entry = self.sandbox.store.update(
                body["Id"],
                name=body.get("Name"),
                description=body.get("Description"),
                is_problem=body.get("IsProblem"),
            )
        except LookupError:
            return message_answer(404, "CoworkerInvoiceHistory was not found.")
        return written_answer("updated", entry.id, instant(entry.updated_on), username)

    async def delete(self, request: Request, _seen: Seen, username: str) -> Response:
        """`DELETE /api/billing/coworkerinvoicehistories/{id}`."""
        try:
            entry = self.sandbox.store.delete(request.path_params["entry_id"])
        except LookupError:
            return message_answer(404, "CoworkerInvoiceHistory was not found.")
        return written_answer("deleted", entry.id, self.sandbox.clock.now_at(), username)

    async def _failed(self, fault: str) -> Response:
        if fault.startswith("write_late"):
            await asyncio.sleep(self.sandbox.knobs.slow_seconds)
            return Reset()
        if fault.startswith("write_reset"):
            return Reset()
        return message_answer(200 if fault == "write_refused" else 500, _OOPS)

    def _errors(self, body: dict[str, Any]) -> list[Invalid]:
        """What the create page would have to say against the body."""
        errors = []
        for name, kind in (_REQUIRED | _OPTIONAL).items():
            value = body.get(name)
            if name in _REQUIRED and (not value or not str(value).strip()):
                errors.append(Invalid(name, value, "is a required field"))
            elif value is not None and type(value) is not kind:
                errors.append(Invalid(name, value, "is not valid"))
            elif name == "CoworkerInvoiceId" and value is not None and value not in self.sandbox.store.invoices:
                errors.append(Invalid(name, value, "was not found"))
        return errors


def _json_object(body: bytes) -> dict[str, Any]:
    """The properties of a body; none where it is no object. No value is a list or an object, so theirs are emptied."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {}
    return {name: type(value)() if isinstance(value, dict | list) else value for name, value in found.items()}
