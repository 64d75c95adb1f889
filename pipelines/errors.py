"""What can go wrong, grouped by what the caller should do about it. Each message is one sentence that says so."""

from collections.abc import Iterator
from typing import ClassVar


class PipelineError(Exception):
    """Any failure that is expected in operation; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class TryAgainLaterError(PipelineError):
    """Nothing is wrong on our side: the same command, run later, goes on where this one stopped."""

    exit_code = 1


class WrongUseError(PipelineError):
    """An option, a setting or a file of the user's must be fixed first."""

    exit_code = 2


class RefusedError(PipelineError):
    """The API refused: the login or a role is missing."""

    exit_code = 3


class BrokenPromiseError(PipelineError):
    """The data, or an answer of the API, is not what it must be; nothing was closed or published on its strength."""

    exit_code = 4


class IgnoredFilterError(BrokenPromiseError):
    """Records came that were not asked for: nothing can be looked up."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
