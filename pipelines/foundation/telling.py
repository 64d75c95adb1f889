"""How a run hands its results to the process that started it: as values, where Dagster's record holds only metadata."""

from collections.abc import Callable

Tell = Callable[[object], None]
"""Called with each result as it comes: a `PullReport` per answer, a `Landed`, a `BuiltModel`, a `Published`."""
