"""What the system refuses, wherever that comes up, as a sentence: a full disk, an unusable file, no memory."""

import sqlite3

import duckdb

from pipelines.errors import PipelineError, TryAgainLaterError, WrongUseError, causes
from pipelines.foundation.duckdb_errors import first_sentence, is_full_disk


def explained(error: BaseException) -> PipelineError | None:
    """The sentence for an error of the system that nobody expected where it came up; None for any other error."""
    for cause in causes(error):
        if isinstance(cause, Exception) and is_full_disk(cause):
            return TryAgainLaterError(
                f"The disk takes no more ({_reason(cause)}): make room on it and run the command again; what was there "
                "before is kept."
            )
        if isinstance(cause, MemoryError | duckdb.OutOfMemoryException):
            return TryAgainLaterError(
                "There is not enough memory: run the command again when less else runs here, or with a smaller "
                "NEXUDUS_PAGE_SIZE."
            )
        if isinstance(cause, ModuleNotFoundError) and cause.name == "fcntl":
            return WrongUseError("This program runs on Linux and macOS: on Windows use WSL or Docker.")
        if isinstance(cause, OSError) and cause.filename is not None:
            return WrongUseError(f"{cause.filename} cannot be used ({cause.strerror}): fix it, or move it away.")
        if isinstance(cause, sqlite3.DatabaseError):
            return WrongUseError(
                f"A database of Dagster cannot be used ({cause}): move the folder DAGSTER_HOME (`dagster` in the data "
                "directory by default) away. It holds the record of runs, and no data."
            )
    return None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or first_sentence(error)
