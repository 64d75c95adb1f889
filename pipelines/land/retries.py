"""A run's own policy for what may be better later: the minutes to wait before each further attempt, in one of its tags.

A run from the command line carries no such tag, so that its caller is told at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipelines.errors import TryAgainLaterError

RETRY_TAG = "nexudus-billing/retry_after_minutes"


@contextmanager
def retried_by_tag(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turn a failure that waiting may resolve into a retry of the step, while the run's tag allows one.

    Anything else, and the last attempt's failure, is raised as it is: a wrong password is not tried again.
    """
    try:
        yield
    except TryAgainLaterError as error:
        waits = [float(minutes) for minutes in context.run.tags.get(RETRY_TAG, "").split()]
        if context.retry_number >= len(waits):
            raise
        minutes = waits[context.retry_number]
        context.log.warning("%s Trying again in %g minutes.", error, minutes)
        raise dg.RetryRequested(max_retries=len(waits), seconds_to_wait=minutes * 60) from error
