"""An entry to record: its fields, their validation, and the reference that identifies it from then on. Pure."""

import hashlib
import json
import unicodedata
from collections.abc import Iterator

import msgspec

from pipelines.errors import WrongUseError

# The API's limits are not documented. A reference that it cut off could not be read back, so these are cautious.
NAME_LIMIT = 255
DESCRIPTION_LIMIT = 2000
_REFERENCE_DIGITS = 12  # 48 bits: among a million entries the odds of two alike are one in 560
_REFERENCE_BEGINS = "[ref "
_LARGEST_ID = 2**63 - 1
_NO_TEXT = {"Cc", "Cs"}  # control characters, halves of surrogate pairs


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry to create on an invoice.

    `cause` says why, where the text alone does not: two entries with the same invoice, name and cause are the same
    one, whatever their text. `source` names the command that asked for it.
    """

    invoice_id: int
    name: str
    description: str
    is_problem: bool = False
    notify: bool = False
    cause: str = ""
    source: str = "record"

    @property
    def reference(self) -> str:
        """Derived from what and why, not from when: the same entry has the same reference on any day and machine."""
        why = self.cause or [self.description, self.is_problem, self.notify]
        what = json.dumps([self.invoice_id, self.name, why])
        return hashlib.sha256(what.encode()).hexdigest()[:_REFERENCE_DIGITS]

    @property
    def text(self) -> str:
        """The description as it is sent, with the reference at its end."""
        return f"{self.description} {bracketed(self.reference)}"


def bracketed(reference: str) -> str:
    """The reference as written in a description."""
    return f"{_REFERENCE_BEGINS}{reference}]"


def tidied(text: str) -> str:
    """The text without surrounding blanks and with uniform line ends, so that these make no different entry."""
    return text.replace("\r\n", "\n").strip()


def checked(entry: Entry) -> Entry:
    """The entry, if it is valid. Raises WrongUseError that names every fault."""
    if faults := list(faults_of(entry)):
        raise WrongUseError(f"The entry cannot be recorded: {'; '.join(faults)}.")
    return entry


def faults_of(entry: Entry) -> Iterator[str]:
    """The faults of an entry, each as a few words that name the field."""
    if not 0 < entry.invoice_id <= _LARGEST_ID:
        yield "invoice_id is not the Id of an invoice"
    yield from _faults_of_text("name", entry.name, NAME_LIMIT, allowed="")
    yield from _faults_of_text("description", entry.description, DESCRIPTION_LIMIT, allowed="\n\t")
    if _REFERENCE_BEGINS in entry.description.lower():
        yield f"description contains {_REFERENCE_BEGINS!r}, which this program uses for its own references"


def _faults_of_text(field: str, text: str, limit: int, *, allowed: str) -> Iterator[str]:
    if not text.strip():
        yield f"{field} is blank"
    if len(text) > limit:
        yield f"{field} has {len(text)} characters, more than {limit}"
    if any(unicodedata.category(character) in _NO_TEXT and character not in allowed for character in text):
        yield f"{field} contains a {'control character' if allowed else 'line break or control character'}"
