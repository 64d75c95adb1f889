"""An API in which everything can go wrong at any moment, and the outbox of a program that can be killed in any."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import strategies as st

from pipelines.errors import RefusedError, TryAgainLaterError
from pipelines.extract.client import Reply
from pipelines.extract.failures import BadRequestError, UncertainWriteError
from pipelines.record.reading_back import Sight
from pipelines.record.states import Event, OutboxEntry, after

SETTLE = timedelta(minutes=5)
START = datetime(2026, 1, 1, tzinfo=UTC)
OUTCOMES = (
    "created", "made and lost", "not made and lost", "made late", "false", "false with reasons", "400", "throttled",
    "no role", "killed before", "killed after", "killed, made late", "false, and made",
)  # fmt: skip


class Killed(BaseException):
    """The process is gone: nothing of it runs any more, no handler either."""


@dataclass
class World:
    """The server's rows and the outbox's, both of which outlive the program; `draw` decides what happens."""

    draw: object
    is_healthy: bool = False
    now: datetime = START
    is_dead: bool = False
    made: list[str] = field(default_factory=list)
    late: list[tuple[datetime, str]] = field(default_factory=list)
    stored: dict[str, OutboxEntry] = field(default_factory=dict)

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, longest: timedelta) -> None:
        seconds = 0 if self.is_healthy else self.draw(st.integers(0, int(longest.total_seconds())))
        self.now += timedelta(seconds=seconds)
        self.made += [reference for at, reference in self.late if at <= self.now]
        self.late = [(at, reference) for at, reference in self.late if at > self.now]

    def change(self, entry: OutboxEntry, event: Event) -> OutboxEntry:
        changed = after(entry, event, self.now)
        if self.stored[entry.reference] != entry:
            raise AssertionError("changed from another state than the stored one")
        self._live("killed before the commit")
        self.stored[entry.reference] = changed
        self._live("killed after the commit")
        return changed

    def look(self, entry: OutboxEntry) -> Sight:
        self._live("killed before the look")
        if self._happens("the look fails"):
            raise TryAgainLaterError("no answer")
        self.pass_time(timedelta(seconds=2))
        found = self.made.index(entry.reference) + 1 if entry.reference in self.made else None
        self.pass_time(timedelta(minutes=6))  # the answer is long on its way
        return Sight(found)

    def post(self, entry: OutboxEntry) -> Reply:
        outcome = "created" if self.is_healthy else self.draw(st.sampled_from(OUTCOMES))
        self.pass_time(timedelta(minutes=6))  # waiting for the pace
        if outcome == "killed before":
            self._die()
        if outcome in {"created", "made and lost", "killed after", "false, and made"}:
            self.made.append(entry.reference)
        self.pass_time(timedelta(seconds=30))
        if "late" in outcome:
            self.late.append((self.now + self.draw(st.timedeltas(timedelta(seconds=1), SETTLE)), entry.reference))
        return self._answer(outcome)

    def _answer(self, outcome: str) -> Reply:
        match outcome:
            case "killed after" | "killed, made late":
                self._die()
            case "created":
                return self._reply(WasSuccessful=True, Value={"Id": len(self.made)})
            case "false" | "false, and made":
                return self._reply(WasSuccessful=False, Message="Ooops!")
            case "false with reasons":
                return self._reply(WasSuccessful=False, Errors=[{"PropertyName": "Name", "Message": "is wrong"}])
            case "400":
                raise BadRequestError("400", b'{"Errors": [{"PropertyName": "Name", "Message": "is wrong"}]}')
            case "throttled":
                raise TryAgainLaterError("throttled")
            case "no role":
                raise RefusedError("no role")
        raise UncertainWriteError("no answer")

    def _reply(self, **body: object) -> Reply:
        return Reply(body=msgspec.json.encode(body), answered_at=self.now, status=200)

    def _happens(self, what: str) -> bool:
        return not self.is_healthy and self.draw(st.sampled_from([False] * 8 + [True]), label=what)

    def _live(self, moment: str) -> None:
        if self.is_dead or self._happens(moment):
            self._die()

    def _die(self) -> None:
        self.is_dead = True
        raise Killed
