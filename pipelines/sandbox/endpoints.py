"""The reading endpoints: token, search, get-one, businesses. Each answers from one instant of the store."""

from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.answers import JSON, Invalid, json_answer, message_answer, validation_answer
from pipelines.sandbox.broken_answers import Reset, cut, login_page
from pipelines.sandbox.distortion import distorted
from pipelines.sandbox.emulator import Sandbox, Seen
from pipelines.sandbox.faults import BROKEN_BODIES
from pipelines.sandbox.gate import Gate
from pipelines.sandbox.listing import Listing, Table
from pipelines.sandbox.questions import BadQuestionError, Question, Reading, read_question
from pipelines.sandbox.search import Found, search
from pipelines.sandbox.tokens import GrantRefusedError
from pipelines.sandbox.wire import ENCODER, envelope

# It can only be paged through.
_BUSINESS_LIST = Listing("Business", "/api/sys/businesses", {}, {}, {}, ())


class ReadingEndpoints:
    """Token, search, get-one and businesses of one sandbox."""

    def __init__(self, sandbox: Sandbox, gate: Gate) -> None:
        self.sandbox = sandbox
        self.gate = gate

    async def token(self, request: Request) -> Response:
        """`POST /api/token`, form-encoded."""
        seen = self.gate.note(request)
        form = {}
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        try:
            answer = json_answer(self.sandbox.tokens.grant(form, request.headers.get("client_id")))
        except GrantRefusedError as refused:
            answer = json_answer({"error": refused.error, "error_description": refused.description}, refused.status)
        return self.gate.dated(seen, answer)

    async def listed(self, request: Request) -> Response:
        """`GET` of any list that there is."""
        table = self.sandbox.tables.get(request.url.path)
        if table is None:
            return message_answer(404, "No HTTP resource was found that matches the request.")
        return await self.gate.guarded(f"{table.listing.name}-List", partial(self._search, table))(request)

    async def _search(self, table: Table, request: Request, seen: Seen, _username: str) -> Response:
        knobs = self.sandbox.knobs
        if knobs.required_filter and knobs.required_filter not in request.query_params:
            return message_answer(400, f"Missing required filter: {knobs.required_filter}")
        reading = Reading(knobs.range_end, knobs.filter_time_zone, knobs.dir_convention, max(1, knobs.max_page_size))
        try:
            question = read_question(request.query_params, reading, table.listing)
        except BadQuestionError as bad:
            return validation_answer([Invalid(bad.property_name, bad.value, str(bad))])
        if 0 < knobs.deep_page_403_after < question.page:
            return Response(status_code=403)
        answer = self._spoiled(self._answered(table, self._misunderstood(question, seen), seen), seen)
        self.sandbox.life.between_answers()
        return answer

    async def get_one(self, request: Request, _seen: Seen, _username: str) -> Response:
        """`GET /api/billing/coworkerinvoicehistories/{id}`."""
        with self.sandbox.store.lock:
            entry = self.sandbox.store.get(request.path_params["entry_id"])
            if entry is None:
                return message_answer(404, "CoworkerInvoiceHistory was not found.")
            return json_answer(distorted(entry, self.sandbox.knobs))

    async def businesses(self, request: Request, _seen: Seen, _username: str) -> Response:
        """`GET /api/sys/businesses`."""
        try:
            question = read_question(request.query_params, Reading(), _BUSINESS_LIST)
        except BadQuestionError as bad:
            return validation_answer([Invalid(bad.property_name, bad.value, str(bad))])
        everything = self.sandbox.store.businesses
        page = everything[(question.page - 1) * question.size :][: question.size]
        records = [
            {
                "Id": one.id,
                "Name": one.name,
                "CurrencyCode": one.currency_code,
                "SimpleTimeZoneId": one.time_zone,
            }
            for one in page
        ]
        return _enveloped(ENCODER.encode(records), question, count=len(page), total=len(everything))

    def _misunderstood(self, question: Question, seen: Seen) -> Question:
        """The question as a server with faults takes it."""
        faults = self.sandbox.faults
        if faults.happens("ignored_filter"):
            question.equal, question.ranges, seen.fault = {}, {}, "ignored_filter"
        if faults.happens("ignored_page"):
            question.page, seen.fault = 1, "ignored_page"
        if faults.happens("other_page_size"):
            question.size, seen.fault = max(1, question.size // 2), "other_page_size"
        if faults.happens("reversed_order"):
            question.descending, seen.fault = not question.descending, "reversed_order"
        return question

    def _answered(self, table: Table, question: Question, seen: Seen) -> Response:
        """A page and its envelope, of one instant."""
        sandbox = self.sandbox
        unordered = sandbox.faults.happens("unordered")
        seen.fault = "unordered" if unordered else seen.fault
        with table.lock:
            found = search(
                table,
                question,
                shuffle=sandbox.faults.stream("ties") if sandbox.knobs.shuffle_ties else None,
                unordered=sandbox.faults.stream("no order") if unordered else None,
            )
            if question.ranges and sandbox.faults.happens("empty"):
                found, seen.fault = Found([], 0), "empty"
            if sandbox.faults.happens("claims_all"):
                found.total, seen.fault = len(found.entries), "claims_all"
            records = table.encode(found.entries, sandbox.knobs)
        seen.record_count = len(found.entries)
        return _enveloped(records, question, count=seen.record_count, total=found.total)

    def _spoiled(self, answer: Response, seen: Seen) -> Response:
        """The answer, or what becomes of it on the way."""
        fault = self.sandbox.faults.first(BROKEN_BODIES)
        seen.fault = fault or seen.fault
        match fault:
            case "reset_mid_body":
                return Reset(answer)
            case "truncated_json":
                return cut(answer)
            case "login_page":
                return login_page()
            case "null_records":
                around = bytes(answer.body).rpartition(b'],"CurrentPageSize"')[2]
                return Response(b'{"Records":null,"CurrentPageSize"' + around, media_type=JSON)
            case _:
                return answer


def _enveloped(records: bytes, question: Question, *, count: int, total: int) -> Response:
    body = envelope(
        records,
        page=question.page,
        size=question.size,
        order_by=question.order_by,
        direction=question.direction,
        count=count,
        total=total,
    )
    return Response(b"".join(body), media_type=JSON)
