"""Who has been erased, and how a record that comes again is held without its personal fields.

Erased people are known by a keyed hash of their Id: the list names nobody, and outlives every sync. What a text may
keep is for the rules to say, which come later than landing; so landing is given the function that knows.
"""

import hmac
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import duckdb
import msgspec

from pipelines.extract.entity import Entity
from pipelines.extract.records import Record, RejectedRecord

LEFT_OUT = "…"
Kept = tuple[str | None, str | None]
"""Title and description as they are held."""


class Said(NamedTuple):
    """What an entry says: title, description, problem flag, and the names of the people it may be about."""

    name: str | None
    description: str | None
    is_problem: bool
    people: str


Withhold = Callable[[str, Collection[Said]], Mapping[Said, Kept]]
"""By the account's key: what may stay of each of these texts."""


def withhold_all(_key: str, texts: Collection[Said]) -> dict[Said, Kept]:
    """Nothing stays. Where landing was given nothing better, a figure may change, but no name comes back."""
    return {said: (said.name and LEFT_OUT, said.description and LEFT_OUT) for said in texts}


@lru_cache(maxsize=100_000)
def keyed_hash(key: str, value: object) -> str:
    """What stands for a value outside: the same for the same account, and of no use without its key."""
    return hmac.new(key.encode(), str(value).encode(), sha256).hexdigest()


def account_key(connection: duckdb.DuckDBPyConnection) -> str:
    """The account's key, made where there is none yet: 32 random bytes, as hexadecimal digits."""
    ((found,),) = connection.execute("select min(key) from land.account_keys").fetchall()
    if found:
        return str(found)
    connection.execute("insert into land.account_keys select $key", {"key": secrets.token_hex(32)})
    return account_key(connection)


def erased_hashes(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The people who have been erased."""
    return frozenset(one for (one,) in connection.execute("select person_hash from land.erased_people").fetchall())


class Eraser:
    """Takes the personal fields out of what is about the people that `is_erased` knows by their Id."""

    def __init__(self, key: str, is_erased: Callable[[int], bool], withhold: Withhold) -> None:
        self._key = key
        self._is_erased = is_erased
        self._withhold = withhold

    def without_people(self, entity: Entity, records: Sequence[Record]) -> list[Record]:
        """The records as they may be held, in their order."""
        about = [index for index, one in enumerate(records) if self._is_about(getattr(one, entity.person_column))]
        held = list(records)
        raws = [records[index].raw for index in about]
        for index, raw in zip(about, self.scrubbed(entity, raws), strict=True):
            read = entity.contract.read(raw)
            assert isinstance(read, Record)  # noqa: S101 - null may stand for whatever was left out
            held[index] = read
        return held

    def scrubbed(self, entity: Entity, raws: Sequence[bytes]) -> list[bytes]:
        """Raw JSON of people to erase, without their personal fields; twice makes no difference to what is withheld."""
        objects = [msgspec.json.decode(raw, type=dict[str, msgspec.Raw]) for raw in raws]
        texts = [_said(entity, fields) for fields in objects]
        kept = self._withhold(self._key, set(texts)) if any(said.name or said.description for said in texts) else {}
        return [_held(entity, fields, kept.get(said)) for fields, said in zip(objects, texts, strict=True)]

    def without_person(self, entity: Entity, rejected: RejectedRecord) -> RejectedRecord:
        """A record that was set aside, as its Ids alone where it is about such a person."""
        person = person_in(entity, rejected.raw)
        if person is None or not self._is_about(person):
            return rejected
        raw = msgspec.json.encode({"Id": rejected.id, entity.contract.columns[entity.person_column]: person})
        return msgspec.structs.replace(rejected, raw=raw)

    def _is_about(self, person: int | None) -> bool:
        return person is not None and self._is_erased(person)


def person_in(entity: Entity, raw: bytes) -> int | None:
    """Whom raw JSON is about, even where it is no JSON."""
    wire = re.escape(entity.contract.columns[entity.person_column].encode())
    found = re.search(rb'"' + wire + rb'"\s*:\s*"?(-?\d{1,18})\b', raw)
    return int(found[1]) if found else None


def _said(entity: Entity, fields: Mapping[str, msgspec.Raw]) -> Said:
    columns = entity.contract.columns
    if not entity.text_columns:
        return Said(None, None, False, "")
    name, description = (_text(fields, columns[column]) for column in entity.text_columns)
    people = [_text(fields, columns[column]) for column in entity.people_columns]
    named = [*people[:-1], (people[-1] or "").partition("@")[0]]
    flag = bytes(fields.get(columns["is_problem"], b"")).lower().strip(b'"') in {b"true", b"1"}
    return Said(name, description, flag, " ".join(filter(None, named)))


def _text(fields: Mapping[str, msgspec.Raw], wire_name: str) -> str | None:
    value = msgspec.json.decode(fields.get(wire_name, b"null"))
    return None if value is None else str(value)


def _held(entity: Entity, fields: Mapping[str, msgspec.Raw], kept: Kept | None) -> bytes:
    columns = entity.contract.columns
    personal = {columns[column] for column in entity.personal_columns}
    documented = {name: value for name, value in fields.items() if name in set(columns.values())}
    held: dict[str, object] = {name: None if name in personal else value for name, value in documented.items()}
    if kept and entity.text_columns:
        held |= dict(zip((columns[column] for column in entity.text_columns), kept, strict=True))
    return msgspec.json.encode(held)
