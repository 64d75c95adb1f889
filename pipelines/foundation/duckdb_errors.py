"""What DuckDB's messages say, for sentences that a person reads."""

import re
from pathlib import Path

_DISK_TAKES_NO_MORE = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "Could not write",
    "database or disk is full",  # SQLite's words
    "disk I/O error",  # SQLite's too, where the disk ends within a page
)


def is_full_disk(error: Exception) -> bool:
    """Whether the disk takes no more."""
    return any(words in str(error) for words in _DISK_TAKES_NO_MORE)


def holder_of_file(error: Exception) -> str | None:
    """Who holds a database file that could not be opened; None where that is not the reason."""
    message = str(error)
    if "file handle conflict" in message:
        return "another task of this process"
    if "onflicting lock" not in message and "being used by another process" not in message:
        return None
    found = re.search(r"held in (.+?)(?: \(PID (\d+)\))", message)
    return f"{Path(found[1]).name} (process {found[2]})" if found else "another process"


def first_sentence(error: Exception) -> str:
    """DuckDB's first sentence, without the class of error that it begins with."""
    text = re.sub(r"^([\w ]+ Error: |\[Errno \d+\] )", "", str(error).strip())
    return re.split(r"\n|[.!](?= |$)", text, maxsplit=1)[0]


def quoted(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
