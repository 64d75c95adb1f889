"""Names of businesses: from the user's file, else from the API where the role allows."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipelines.errors import BrokenPromiseError, WrongUseError
from pipelines.extract.records import UNREADABLE
from pipelines.foundation.shown_text import without_control

if TYPE_CHECKING:
    from pipelines.extract.client import NexudusClient  # the dashboard reads a sentence here and needs no HTTP

_HEADER = ["business_id", "business_name", "time_zone"]
_PATH = "/api/sys/businesses"
_ROLE = "Business-List"
HOW_TO_NAME = (
    "Businesses are shown by id: name them in a CSV file with the header business_id,business_name,time_zone and set "
    "NEXUDUS_BUSINESSES_FILE to it, or grant the API user the role Business-List."
)
_PAGE_SIZE = 200
_MOST_PAGES = 50


class BusinessName(msgspec.Struct, frozen=True):
    """A business and what it is called; None where nobody says."""

    business_id: int
    business_name: str | None
    time_zone: str | None


class _Record(msgspec.Struct, rename="pascal"):
    id: int
    name: str | None = None
    simple_time_zone_id: str | int | None = None


class _Envelope(msgspec.Struct, rename="pascal"):
    records: list[_Record]


def read_names_file(path: Path) -> list[BusinessName]:
    """The names in the user's CSV file (UTF-8). Raises WrongUseError that names the line to correct."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _parsed(path, stream)
    except OSError as error:
        raise WrongUseError(f"NEXUDUS_BUSINESSES_FILE {path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise WrongUseError(f"{path} is not UTF-8: save it as CSV UTF-8.") from None


def ask_for_names(client: "NexudusClient") -> list[BusinessName]:
    """The names that the API tells. Raises what the client raises, and BrokenPromiseError for a strange answer."""
    names: dict[int, BusinessName] = {}
    for page in range(1, _MOST_PAGES + 1):
        body = client.get(_PATH, {"page": str(page), "size": str(_PAGE_SIZE)}, role=_ROLE).body
        try:
            records = msgspec.json.decode(body, type=_Envelope, strict=False).records
        except UNREADABLE as error:
            raise BrokenPromiseError(f"The answer about businesses is not the documented one ({error}).") from None
        new = [record for record in records if record.id not in names]
        names |= {one.id: BusinessName(one.id, _text(one.name), _text(one.simple_time_zone_id)) for one in new}
        # A server that does not know `page` answers the first one for ever.
        if not new or len(records) < _PAGE_SIZE:
            break
    return list(names.values())


def _parsed(path: Path, lines: Iterable[str]) -> list[BusinessName]:
    reader = csv.reader(lines)
    header = [cell.strip() for cell in next(reader, [])]
    if header not in (_HEADER, _HEADER[:2]):
        raise WrongUseError(f"{path}:1: the header must read {','.join(_HEADER)}.")
    names: dict[int, BusinessName] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        business_id, name, zone = [cell.strip() for cell in [*cells, "", ""][:3]]
        if not business_id.isdecimal() or int(business_id) >= 2**63:
            raise WrongUseError(f"{path}:{reader.line_num}: business_id {business_id!r} is not a whole number.")
        if int(business_id) in names:
            raise WrongUseError(f"{path}:{reader.line_num}: business {business_id} is named twice.")
        names[int(business_id)] = BusinessName(int(business_id), name or None, zone or None)
    return list(names.values())


def _text(value: str | int | None) -> str | None:
    return without_control(str(value).strip()) or None if value is not None else None
