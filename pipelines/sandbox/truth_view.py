"""A view behind the scenes over HTTP, for tests whose sandbox is another process. No part of the API, no login."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.answers import json_answer
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.knobs import make_knobs


class TruthView:
    """`/sandbox/truth`, `/sandbox/requests`, `/sandbox/knobs` and `/sandbox/clock` of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def truth(self, _request: Request) -> Response:
        """Every record that exists, in order of Id, whatever the knobs distort."""
        return json_answer(self.sandbox.store.truth())

    async def invoice_truth(self, _request: Request) -> Response:
        """The same of invoices."""
        return json_answer(self.sandbox.store.invoice_truth())

    async def requests(self, _request: Request) -> Response:
        """The log of requests, and how many notifications and changes there were."""
        store = self.sandbox.store
        return json_answer(
            {
                "data_count": self.sandbox.requests.data_count,
                "requests": [
                    {name: getattr(one, name) for name in one.__slots__} for one in list(self.sandbox.requests.seen)
                ],
                "notified_ids": store.notified_ids,
                "changes": dict(store.changes),
            }
        )

    async def knobs(self, request: Request) -> Response:
        """All knobs; PATCH with a JSON object changes some."""
        knobs = self.sandbox.knobs
        if request.method == "PATCH":
            try:
                changes = msgspec.json.decode(await request.body(), type=dict[str, object])
                changed = make_knobs(**(msgspec.structs.asdict(knobs) | changes))
            except (msgspec.DecodeError, ValueError) as error:
                return json_answer({"Message": str(error)}, 400)
            for name in changes:
                setattr(knobs, name, getattr(changed, name))
        return json_answer(msgspec.structs.asdict(knobs))

    async def clock(self, request: Request) -> Response:
        """The sandbox's time; POST with `?advance_seconds=` moves it on."""
        if request.method == "POST":
            try:
                self.sandbox.clock.advance(float(request.query_params["advance_seconds"]))
            except (KeyError, ValueError):
                return json_answer({"Message": "advance_seconds must be a number"}, 400)
        return json_answer({"now": self.sandbox.clock.now_at()})
