"""`doctor`: what is documented nowhere, or differs between tenants, found out on the live one by asking.

Belongs here: which questions to ask, in which order, when to stop. Changes nothing, sends fewer than 25 requests.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.errors import BrokenPromiseError, PipelineError, RefusedError, TryAgainLaterError, WrongUseError
from pipelines.extract import doctor_readings as readings
from pipelines.extract.axes import UPDATED_ON, Filters
from pipelines.extract.client import DeepPageError, NexudusClient
from pipelines.extract.doctor_readings import Finding, unknown
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.failures import BadRequestError, MissingFilterError, RequestsUsedUpError
from pipelines.extract.histories import HISTORIES
from pipelines.extract.invoices import INVOICES, WITHOUT_INVOICES
from pipelines.extract.pacing import OnWait
from pipelines.extract.records import Record, SearchAnswer, decode_search
from pipelines.settings import Clock, Settings, utc_now

MOST_REQUESTS = 24
_LARGE_PAGE = 5000
_DEEP_PAGE = 1000
_DIRECTIONS = (0, 1, -1)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_DAY, _HALF_YEAR, _QUARTER, _MINUTE = timedelta(1), timedelta(182), timedelta(minutes=15), timedelta(minutes=1)
_EVERYTHING = Filters(UPDATED_ON, _LONG_AGO)

NAMES = (
    "connection", "login", "role", "date-only list", "clock", "ascending order", "page size", "range filter",
    "filter time zone", "range end", "row stamps", "order by Id", "page number", "ties", "deep pages",
    *readings.FIELD_FINDINGS, "invoices", "invoices by id", "throttling", "broken answers", "slowest answer",
)  # fmt: skip
"""The findings of every examination, in the order of the report."""


def examine(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    sleep: Callable[[float], None] = time.sleep,
    on_wait: OnWait | None = None,
) -> list[Finding]:
    """The report, always all of `NAMES` in this order; what could not be asked is `unknown`.

    Raises WrongUseError for a setting without which nothing can be asked (no login, no data directory, an address that
    is no API, a certificate that does not verify). Whatever else goes wrong is a finding.
    """
    with NexudusClient(settings, clock=clock, sleep=sleep, on_wait=on_wait, max_requests=MOST_REQUESTS) as client:
        return _Examination(client, settings, clock).report()


def exit_code(findings: Iterable[Finding]) -> int:
    """What the command line ends with, as any command does that meets what was found; 0 if nothing is amiss."""
    failed = {finding.name for finding in findings if finding.verdict == "fail"}
    if failed & {"connection", "broken answers"}:
        return TryAgainLaterError.exit_code
    if failed & {"login", "role", "date-only list", "invoices"}:
        return RefusedError.exit_code
    if "filter time zone" in failed:
        return WrongUseError.exit_code
    return BrokenPromiseError.exit_code if failed else 0


class _StopError(Exception):
    """The rest cannot be asked; says why."""


class _Examination:
    def __init__(self, client: NexudusClient, settings: Settings, clock: Clock) -> None:
        self.client = client
        self.settings = settings
        self.clock = clock
        self.histories = EntitySource(client, settings, HISTORIES)
        self.found: dict[str, Finding] = {}
        self.pages: list[SearchAnswer] = []
        self.ascending: int | None = None

    def report(self) -> list[Finding]:
        why = "this was not asked"
        try:
            for name, step in self._steps():
                self._take(name, step)
        except _StopError as stop:
            why = str(stop)
        self._note(readings.field_findings(self.pages))
        self._note(
            readings.mishap_findings(
                self.client.throttles,
                self.client.mishaps,
                slowest_seconds=self.client.slowest_seconds,
                timeout_seconds=self.settings.timeout_seconds,
            )
        )
        return [self.found.get(name) or unknown(name, why) for name in NAMES]

    def _steps(self) -> list[tuple[str, Callable[[], Iterable[Finding]]]]:
        """What is asked, most wanted first, under the name of the finding that fails with it."""
        return [
            ("login", self._login),
            ("date-only list", self._first_answer),
            ("ascending order", self._order),
            ("page size", self._page_size),
            ("range filter", self._range_filter),
            ("filter time zone", self._time_zone),
            ("range end", self._range_end),
            ("row stamps", self._row_stamps),
            ("order by Id", self._ids),
            ("ties", self._ties),
            ("invoices", self._invoices),
            ("deep pages", self._deep_pages),
        ]

    def _take(self, name: str, step: Callable[[], Iterable[Finding]]) -> None:
        try:
            self._note(step())
        except WrongUseError:
            raise
        except RequestsUsedUpError as error:
            raise _StopError(f"{MOST_REQUESTS} requests were sent") from error
        except (BadRequestError, MissingFilterError) as error:
            self._note([unknown(name, str(error).rstrip("."))])
        except PipelineError as error:
            self._note(
                [_failed("broken answers" if self.client.has_server_clock else "connection", "no answer", str(error))]
            )
            raise _StopError("an earlier question got no usable answer") from error

    def _note(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.found.setdefault(finding.name, finding)

    def _login(self) -> Iterable[Finding]:
        settings = self.settings
        how = "fixed token" if settings.access_token else "password and code" if settings.totp_secret else "password"
        try:
            self.client.log_in()
        except RefusedError as error:
            self._note([_failed("login", "refused", str(error), "NEXUDUS_USERNAME, NEXUDUS_PASSWORD")])
            raise _StopError("the login was refused") from error
        return [Finding(name="login", verdict="ok", value=how)]

    def _first_answer(self) -> Iterable[Finding]:
        try:
            answer = self._sorted_page(_DIRECTIONS[0], self.settings.page_size)
        except MissingFilterError as error:
            why = "A sync asks by date alone: ask Nexudus support to allow it for this user."
            self._note([_failed("date-only list", error.said, why)])
            raise _StopError("a list by date alone is not allowed") from error
        except BadRequestError:
            raise
        except RefusedError as error:
            is_token = self.settings.access_token is not None and "ACCESS_TOKEN" in str(error)
            self._note([_failed("role", "missing", str(error), "NEXUDUS_ACCESS_TOKEN" if is_token else None)])
            raise _StopError("the role is missing") from error
        self.pages.append(answer)
        return [
            Finding(name="connection", verdict="ok", value=self.settings.base_url),
            Finding(name="role", verdict="ok", value=HISTORIES.list_role, explanation="Create was not tried."),
            Finding(name="date-only list", verdict="ok", value=f"allowed, {answer.total_items} entries"),
            readings.clock_finding(answer.answered_at, self.clock(), has_date=self.client.has_server_clock),
        ]

    def _order(self) -> Iterable[Finding]:
        seen = []
        for direction in _DIRECTIONS:
            if direction != _DIRECTIONS[0]:
                self.pages.append(self._sorted_page(direction, self.settings.page_size))
            order = readings.order_of(self.pages[-1])
            seen.append(f"dir={direction}: {order}")
            if order in {"ascending", "unproved"}:
                break
        value = ", ".join(seen)
        if order == "ascending":
            self.ascending = direction
            return [Finding(name="ascending order", verdict="ok", value=value, explanation="Proved by the rows.")]
        if order == "unproved":
            return [unknown("ascending order", "the rows all have one instant, or there are none")]
        why = "Rows do not come in ascending order: a sync halves its ranges instead, which costs more requests."
        return [Finding(name="ascending order", verdict="warn", value=value, explanation=why)]

    def _page_size(self) -> Iterable[Finding]:
        asked, answer = self.settings.page_size, self.pages[-1]
        if answer.record_count == asked < min(answer.total_items, _LARGE_PAGE):
            asked = _LARGE_PAGE
            answer = self._sorted_page(self.ascending or 0, asked)
            self.pages[-1] = answer
        return [readings.size_finding(asked, answer, configured=self.settings.page_size)]

    def _range_filter(self) -> Iterable[Finding]:
        if not self.pages[-1].records:
            raise _StopError("there are no entries")
        window = Filters(UPDATED_ON, _LONG_AGO, _LONG_AGO + _DAY)
        answer = self.histories.search(window, size=2)
        if answer.total_items == 0:
            return [Finding(name="range filter", verdict="ok", value="filters")]
        self._note(
            [
                _failed(
                    "range filter",
                    "ignored",
                    f"{answer.total_items} entries came for a day in 2000: trust no range, ask Nexudus support.",
                )
            ]
        )
        raise _StopError("the range filter is ignored")

    def _time_zone(self) -> Iterable[Finding]:
        rows = readings.pivots(record for page in self.pages for record in page.records)
        if len(rows) == 1:
            rows += readings.pivots(self._other_season(rows[0]).records)[:1]
        configured = ZoneInfo(self.settings.filter_timezone)
        candidates: list[ZoneInfo] = [configured, *readings.zones()]
        for row in rows:
            here = readings.offset(configured, row.touched_at)
            known = {zone: readings.offset(zone, row.touched_at) - here for zone in candidates}
            shift = self._shift(row, {timedelta(), *known.values()})
            if shift is None:
                raise _StopError("the filter's time zone could not be told: a row moved meanwhile")
            candidates = [zone for zone in candidates if known[zone] == shift]
        name = readings.best_name(candidates)
        if not rows:
            return [unknown("filter time zone", "no row lies in a season in which zones differ")]
        seasons = "in winter and summer" if len({row.touched_at.month in range(4, 11) for row in rows}) > 1 else "once"
        if configured in candidates:
            said = f"Proved {seasons}." if seasons != "once" else "Proved in one season only: ask again in half a year."
            return [Finding(name="filter time zone", verdict="ok", value=configured.key, explanation=said)]
        self._note(
            [
                Finding(
                    name="filter time zone",
                    verdict="fail",
                    value=name or "none that is known",
                    setting_to_change=f"NEXUDUS_FILTER_TIMEZONE={name}",
                    explanation=f"Not read in {configured.key}; {len(candidates)} zones fit, proved {seasons}.",
                )
            ]
        )
        return []

    def _other_season(self, row: Record) -> SearchAnswer:
        later, earlier = row.touched_at + _HALF_YEAR, row.touched_at - _HALF_YEAR
        start = Filters(UPDATED_ON, later if later < self.pages[-1].answered_at else earlier)
        return self.histories.search(start, size=50, order_by="UpdatedOn", direction=self.ascending)

    def _shift(self, row: Record, shifts: set[timedelta]) -> timedelta | None:
        """How far the filter's clock is ahead of the configured one at this row; None if the row cannot be found.

        A clock that is ahead by s takes the start of a range for s earlier than it is meant: the row is still in a
        range that starts up to s after it, and in none that starts later. So halve.
        """
        ordered = sorted(shifts)
        here = ordered.index(timedelta())
        low, high = (here, len(ordered)) if self._is_in_from(row, timedelta()) else (-1, here)
        if low == here and (high == here + 1 or not self._is_in_from(row, ordered[here + 1])):
            return timedelta()
        if low == here:
            low += 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._is_in_from(row, ordered[middle]) else (low, middle)
        return ordered[low] if low >= 0 else None

    def _is_in_from(self, row: Record, later: timedelta) -> bool:
        start = row.touched_at.replace(second=0, microsecond=0) + later
        return self._is_in(row, _of_invoice(row, start))

    def _is_in(self, row: Record, filters: Filters) -> bool:
        answer = self.histories.search(filters, size=200, order_by="UpdatedOn", direction=self.ascending)
        return any(record.id == row.id and record.touched_at == row.touched_at for record in answer.records)

    def _range_end(self) -> Iterable[Finding]:
        if self.found["filter time zone"].verdict != "ok":
            return [unknown("range end", "first the filter's time zone must be set")]
        rows = [record for page in self.pages for record in page.records]
        # Not the last second of a minute: the next one's value would read the same with seconds as without.
        late = next((row for row in rows if 0 < row.touched_at.second < 59), None)  # noqa: PLR2004
        sharp = next((row for row in rows if not row.touched_at.second and not row.touched_at.microsecond), None)
        if late is not None and self._is_in_to(late, timedelta()):
            if self._is_in_to(late, -_MINUTE):
                why = "Rows after the end of a range came: no range can be trusted. Ask Nexudus support."
                return [_failed("range end", "ignored", why)]
            return [_range_end("the whole end minute is in the range")]
        end = "is not known to be in the range"
        if sharp is not None:
            end = "is in the range" if self._is_in_to(sharp, timedelta()) else "is not in the range"
        compared = f", compared by the {self._compared_by(late)}" if late is not None else ""
        return [_range_end(f"the end instant {end}{compared}")]

    def _is_in_to(self, row: Record, later: timedelta) -> bool:
        end = row.touched_at.replace(second=0, microsecond=0) + later
        return self._is_in(row, _of_invoice(row, end=end))

    def _compared_by(self, row: Record) -> str:
        """Whether seconds in a filter's value count, although its documented form has none."""
        zone = ZoneInfo(self.settings.filter_timezone)
        end = (row.touched_at.replace(microsecond=0) + timedelta(seconds=1)).astimezone(zone)
        params = HISTORIES.parameters(_of_invoice(row, end=end), zone)
        params |= {HISTORIES.range_parameter("to", UPDATED_ON): end.strftime("%Y-%m-%dT%H:%M:%S")}
        try:
            reply = self.client.get(HISTORIES.path, params | {"page": "1", "size": "200"}, role=HISTORIES.list_role)
        except BadRequestError:
            return "minute"
        records = decode_search(reply.body, reply.answered_at, HISTORIES.contract).records
        return "second" if any(record.id == row.id for record in records) else "minute"

    def _row_stamps(self) -> Iterable[Finding]:
        if self.ascending is None:
            return [unknown("row stamps", "the newest rows cannot be asked for")]
        answer = self._sorted_page(1 if self.ascending != 1 else 0, 50)
        self.pages.append(answer)
        if readings.order_of(answer) == "ascending" and self.ascending == 1:
            answer = self._sorted_page(-1, 50)
        return [readings.stamps_finding(answer)]

    def _ids(self) -> Iterable[Finding]:
        answer = self.histories.search(_EVERYTHING, page=2, size=20, order_by="Id", direction=self.ascending)
        order = readings.id_order_of(answer)
        if answer.total_items <= 20 + 1:
            return [unknown("order by Id", "there are too few rows"), unknown("page number", "there are too few rows")]
        is_sorted = order in {"ascending", "descending"}
        first_ids = {record.id for record in self._first_page_ids()} if answer.page == 2 else set()  # noqa: PLR2004
        is_other = answer.page == 2 and not first_ids & {record.id for record in answer.records}  # noqa: PLR2004
        return [
            Finding(
                name="order by Id",
                verdict="ok" if is_sorted else "warn",
                value=order,
                explanation="" if is_sorted else "Minutes with more entries than a page holds stay open in `status`.",
            ),
            Finding(
                name="page number",
                verdict="ok" if is_other else "warn",
                value="honoured" if is_other else f"page 2 was asked for, page {answer.page} came",
                explanation=""
                if is_other
                else "Minutes with more entries than a page holds cannot be read; they stay open in `status`.",
            ),
        ]

    def _first_page_ids(self) -> list[Record]:
        return self.histories.search(_EVERYTHING, page=1, size=20, order_by="Id", direction=self.ascending).records

    def _ties(self) -> Iterable[Finding]:
        if self.ascending is None:
            return [unknown("ties", "rows do not come in order")]
        first = next(page for page in self.pages if readings.order_of(page) == "ascending")
        return [readings.ties_finding(first, self._sorted_page(self.ascending, min(200, first.record_count)))]

    def _deep_pages(self) -> Iterable[Finding]:
        page = min(_DEEP_PAGE, self.pages[0].total_items)
        try:
            self.histories.search(_EVERYTHING, page=page, size=1)
        except DeepPageError:
            why = "A sync never needs them except in a minute fuller than that many pages."
            return [Finding(name="deep pages", verdict="ok", value=f"page {page} is refused", explanation=why)]
        return [Finding(name="deep pages", verdict="ok", value=f"page {page} is answered")]

    def _invoices(self) -> Iterable[Finding]:
        """Whether invoices can be read, and how many of those named by Id come at once."""
        why = "they are not read"
        if self.settings.invoices == "off":
            return [
                Finding(name="invoices", verdict="ok", value="not read, for NEXUDUS_INVOICES is off"),
                unknown("invoices by id", why),
            ]
        source = EntitySource(self.client, self.settings, INVOICES)
        try:
            answer = source.search(size=INVOICES.lookup.most_keys)
        except RefusedError as error:
            verdict: readings.Verdict = "fail" if self.settings.invoices == "on" else "warn"
            said = f"Without them {WITHOUT_INVOICES}. {error}"
            missing = Finding(name="invoices", verdict=verdict, value="refused", explanation=said)
            return [missing, unknown("invoices by id", why)]
        named = tuple(record.id for record in answer.records)
        found = source.search(Filters(keys=named)) if named else answer
        return [
            Finding(name="invoices", verdict="ok", value=f"{INVOICES.list_role}, {answer.total_items} invoices"),
            readings.ids_finding(answer, found),
        ]

    def _sorted_page(self, direction: int, size: int) -> SearchAnswer:
        return self.histories.search(_EVERYTHING, size=size, order_by="UpdatedOn", direction=direction)


def _of_invoice(row: Record, start: datetime = _LONG_AGO, end: datetime | None = None) -> Filters:
    """The few rows of a row's invoice, so that one page holds them all."""
    return Filters(UPDATED_ON, start, end, keys=(HISTORIES.key(row),))


def _failed(name: str, value: str, why: str, setting: str | None = None) -> Finding:
    return Finding(name=name, verdict="fail", value=value, setting_to_change=setting, explanation=why)


def _range_end(value: str) -> Finding:
    return Finding(name="range end", verdict="ok", value=value, explanation="Either way a sync lands the same rows.")
