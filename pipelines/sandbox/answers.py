"""The JSON bodies that are not records: errors, refusals, and what a write answers."""

from datetime import datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from pipelines.sandbox.wire import ENCODER

JSON = "application/json; charset=utf-8"


class Invalid(NamedTuple):
    """A property that a request got wrong."""

    property_name: str
    attempted_value: Any
    message: str


def json_answer(content: Any, status: int = 200) -> Response:  # noqa: ANN401 - whatever JSON can say
    """Content as JSON."""
    return Response(ENCODER.encode(content), status, media_type=JSON)


def message_answer(status: int, message: str) -> Response:
    """A failure that concerns no property in particular."""
    return json_answer({"Message": message, "Value": None, "Errors": None, "WasSuccessful": False}, status)


def validation_answer(errors: list[Invalid]) -> Response:
    """The 400 body of the create page."""
    return json_answer(
        {
            "Message": ", ".join(f"{error.property_name}: {error.message}" for error in errors),
            "Value": None,
            "Errors": [
                {
                    "AttemptedValue": error.attempted_value,
                    "Message": error.message,
                    "PropertyName": error.property_name,
                }
                for error in errors
            ],
            "WasSuccessful": False,
        },
        400,
    )


def written_answer(done: str, entry_id: int, at: datetime | None, username: str) -> Response:
    """The 200 body of the create page; `done` is "created", "updated" or "deleted"."""
    return json_answer(
        {
            "Status": 200,
            "Message": f"CoworkerInvoiceHistory was successfully {done}.",
            "Value": {"Id": entry_id},
            "OpenInDialog": False,
            "OpenInWindow": False,
            "RedirectURL": None,
            "JavaScript": None,
            "UpdatedOn": at,
            "UpdatedBy": username,
            "Errors": None,
            "WasSuccessful": True,
        }
    )
