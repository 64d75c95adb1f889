"""What goes wrong on purpose: by a rate and a stream of chance for each fault, or at requests that a test picks."""

from collections import deque
from random import Random
from zlib import crc32

from pipelines.sandbox.knobs import Knobs

THROTTLES = ("throttle_409", "throttle_date", "throttle_429", "throttle_503", "throttle_bare")
ERRORS = ("error_500", "error_502", "error_503")
BROKEN_BODIES = ("reset_mid_body", "truncated_json", "login_page", "null_records")


class Faults:
    """Decides for each request. A fault is named as its knob is, without `_rate`."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._streams: dict[str, Random] = {}
        self._planned: dict[str, deque[bool]] = {}

    def inject(self, name: str, *, times: int = 1, after: int = 0) -> None:
        """Let a fault happen at the next `times` chances it has, once `after` chances have gone by well."""
        if not hasattr(self._knobs, f"{name}_rate"):
            raise ValueError(f"there is no fault {name!r}")
        self._planned.setdefault(name, deque()).extend([False] * after + [True] * times)

    def happens(self, name: str) -> bool:
        """Whether the fault happens now."""
        planned = self._planned.get(name)
        if planned:
            return planned.popleft()
        rate: float = getattr(self._knobs, f"{name}_rate")
        return rate > 0 and self.stream(name).random() < rate

    def first(self, names: tuple[str, ...]) -> str:
        """The first of these faults that happens now, or an empty text."""
        return next((name for name in names if self.happens(name)), "")

    def stream(self, name: str) -> Random:
        """The fault's own stream of chance, so that one fault more does not move all the others."""
        if name not in self._streams:
            self._streams[name] = Random(f"{self._knobs.seed}:{name}")  # noqa: S311 - repeatable chance, no secret
        return self._streams[name]


def share_of(seed: int, name: str, entry_id: int) -> float:
    """A number in 0..1 that is always the same for this fault and record."""
    return crc32(f"{seed}:{name}:{entry_id}".encode()) / 0x1_0000_0000
