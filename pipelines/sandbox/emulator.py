"""The sandbox as one object: data, clock, logins, settings, faults, life, and the log of what was asked."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.sandbox.entities import Operator
from pipelines.sandbox.faults import Faults
from pipelines.sandbox.history_list import HISTORY_LIST, history_table
from pipelines.sandbox.invoice_list import INVOICE_LIST, invoice_table
from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.life import Life
from pipelines.sandbox.limits import Limits
from pipelines.sandbox.listing import Table
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.sandbox_clock import SandboxClock
from pipelines.sandbox.store import Store
from pipelines.sandbox.tokens import TokenDesk, User

_REMEMBERED = 200_000
_SECRET = ("token", "password", "totp", "secret")


@dataclass(slots=True)
class Seen:
    """A request received. `status` is 0 when the connection was reset; `fault` names what went wrong on purpose."""

    method: str
    path: str
    params: dict[str, str]
    at: float
    status: int = 0
    fault: str = ""
    record_count: int = 0


class RequestLog:
    """The requests in the order in which they came; bodies and headers are never kept."""

    def __init__(self) -> None:
        self.seen: deque[Seen] = deque(maxlen=_REMEMBERED)

    def note(self, method: str, path: str, params: Mapping[str, str], at: float) -> Seen:
        """Remember a request; what looks like a secret in its query is left out."""
        safe = {name: "..." if any(word in name.lower() for word in _SECRET) else params[name] for name in params}
        one = Seen(method, path, safe, at)
        self.seen.append(one)
        return one

    def __len__(self) -> int:
        """Number of requests of any kind."""
        return len(self.seen)

    def clear(self) -> None:
        """Forget them all."""
        self.seen.clear()

    def data(self) -> list[Seen]:
        """The searches: GET on the histories endpoint."""
        return [one for one in self.seen if one.method == "GET" and one.path == HISTORY_LIST.path]

    @property
    def data_count(self) -> int:
        """How many searches were received, answered well or not."""
        return len(self.data())


@dataclass
class Sandbox:
    """A running sandbox. Everything in it may be read and changed while it runs."""

    store: Store
    clock: SandboxClock
    knobs: Knobs
    tokens: TokenDesk
    faults: Faults
    life: Life
    limits: Limits
    requests: RequestLog = field(default_factory=RequestLog)
    tables: dict[str, Table] = field(default_factory=dict)
    """The lists that it answers searches of, by their path."""
    base_url: str = ""

    def server_now(self) -> float:
        """Seconds since 1970 UTC as the Date header tells them."""
        return self.clock.exact() + self.knobs.date_header_skew_seconds

    @property
    def username(self) -> str:
        """Name of the first user."""
        return self.tokens.users[0].username

    @property
    def password(self) -> str:
        """Password of the first user."""
        return self.tokens.users[0].password


def make_sandbox(operator: Operator | None = None, knobs: Knobs | None = None, user: User | None = None) -> Sandbox:
    """A sandbox that does not listen yet. Its clock starts at the operator's `until`."""
    operator = operator or make_operator()
    knobs = knobs or Knobs()
    clock = SandboxClock(operator.until)
    store, faults = Store(operator, clock), Faults(knobs)
    tokens = TokenDesk(clock, knobs, [user or User()])
    sandbox = Sandbox(store, clock, knobs, tokens, faults, Life(store, knobs, faults), Limits(knobs))
    sandbox.tables[HISTORY_LIST.path] = history_table(store)
    sandbox.tables[INVOICE_LIST.path] = invoice_table(store, knobs)
    return sandbox
