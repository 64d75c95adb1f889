"""The releases of a published file: numbered, listed in a manifest with their checksums, the last few kept.

`analytics.manifest.json` and `analytics.releases/` are beside `analytics.duckdb`. Each kept release is a file of its
own: a hard link would change with the published file, which any program may open for writing.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from filelock import FileLock

from pipelines.foundation.private_files import (
    PRIVATE,
    make_private_folder,
    replace_file,
    sync_to_disk,
    written_aside,
)


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One published file: where it is kept (relative to the manifest), its checksum, what it holds and is made from."""

    release_number: int
    published_at: datetime
    file: str
    sha256: str
    byte_count: int
    program_version: str
    row_counts: Mapping[str, int]
    # Files of version 0.1.0 do not say; they show titles as they are, and names that they did not know.
    has_personal_data: bool = True
    has_plain_ids: bool = True
    inputs: str | None = None

    def says_more_than(self, other: "Release") -> bool:
        """Whether it holds of people what the other may not."""
        more_of_people = self.has_personal_data and not other.has_personal_data
        return more_of_people or (self.has_plain_ids and not other.has_plain_ids)


class Manifest(msgspec.Struct, frozen=True):
    """The kept releases, newest first. The checksum of the published file is always among them."""

    releases: list[Release] = []


def manifest_path(target: Path) -> Path:
    """The path of the manifest of a published file."""
    return target.with_name(f"{target.stem}.manifest.json")


def report_path(target: Path) -> Path:
    """The path of the report of a published file."""
    return target.with_name(f"{target.stem}_report.html")


def releases_folder(target: Path) -> Path:
    """The folder of the kept releases of a published file."""
    return target.with_name(f"{target.stem}.releases")


def read_manifest(target: Path) -> Manifest:
    """The manifest of a published file; empty where none can be read, since the next release rewrites it."""
    try:
        return msgspec.json.decode(manifest_path(target).read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.MsgspecError):
        return Manifest()


@contextmanager
def one_publisher(target: Path) -> Iterator[None]:
    """Holds a lock, so that other publishers of this file wait and release numbers only increase."""
    lock = target.with_name(f".{target.name}.lock")
    with FileLock(lock, mode=PRIVATE):
        yield


def next_number(target: Path) -> int:
    """The number of the next release: higher than every listed or kept one."""
    listed = [release.release_number for release in read_manifest(target).releases]
    kept = [int(file.stem) for file in _kept(target)]
    return max([0, *listed, *kept]) + 1


def release(target: Path, building: Path, made: Release, kept_count: int) -> list[Release]:
    """Keep `building` as a release and make it the published file; each step is atomic. Returns the releases removed.

    Earlier releases that hold of people what it may not are removed.

    The manifest is written first, so that it always lists the checksum of the file that readers find.
    """
    kept = target.parent / made.file
    make_private_folder(kept.parent, is_published=True)
    with written_aside(kept, is_published=True) as copy:
        shutil.copy2(building, copy)
    before = read_manifest(target).releases
    older = [one for one in before if not one.says_more_than(made) and is_whole(target, one)]
    manifest = Manifest([made, *(one for one in older if one.release_number < made.release_number)][:kept_count])
    content = msgspec.json.format(msgspec.json.encode(manifest))
    replace_file(manifest_path(target), content, is_published=True)
    drop_changes(target)
    building.replace(target)
    drop_changes(target)  # of a program that began to write meanwhile
    sync_to_disk(target.parent)
    _prune(target, {one.file for one in manifest.releases})
    return [one for one in before if one not in manifest.releases]


def forget_older(target: Path) -> None:
    """Remove every kept release but the newest."""
    newest = Manifest(read_manifest(target).releases[:1])
    replace_file(manifest_path(target), msgspec.json.format(msgspec.json.encode(newest)))
    _prune(target, {one.file for one in newest.releases})


def changes_beside(target: Path) -> Path:
    """Where DuckDB keeps the changes of a program that opened the file to write, and finds them when it is opened."""
    return Path(f"{target}.wal")


def drop_changes(target: Path) -> None:
    """Nobody's changes to a release may show in the next one."""
    changes_beside(target).unlink(missing_ok=True)


def unchanged(target: Path) -> Path:
    """Where the release is as it was published: its kept copy, where another program's changes lie beside it."""
    found = _found(target) or _newest(target)
    if found and changes_beside(target).exists() and is_whole(target, found):
        return target.parent / found.file
    return target


def published_at(target: Path) -> datetime | None:
    """When the published file was made; None where there is none."""
    if not target.exists():
        return None
    found = _found(target) or _newest(target)
    return found.published_at if found else datetime.fromtimestamp(target.stat().st_mtime, UTC)


def change_since(target: Path) -> str | None:
    """What is not as it was published, as a sentence; None where the file and the kept releases are."""
    listed = read_manifest(target).releases
    if not listed or not target.exists():
        return None
    found, kept = _found(target), target.parent / listed[0].file
    if damaged := [one.file for one in listed if not is_whole(target, one)]:
        return (
            f"The kept release {target.parent / damaged[0]} is damaged or missing: run `nexudus-billing sync "
            "--rebuild`, which publishes anew and no longer lists it."
        )
    done = f"Another program has changed {target} since it was published"
    if changes_beside(target).exists():
        done = f"Another program has {target} open for writing, or ended while it had"
    elif found == listed[0]:
        return None
    elif found:
        return f"Publishing was cut short, and {target} is the release before: run `nexudus-billing sync`."
    return (
        f"{done}: open it read-only everywhere, and run `nexudus-billing sync`, which publishes it anew. The release as"
        f" it was published is {kept}."
    )


def is_whole(target: Path, one: Release) -> bool:
    """Whether a kept release is as it was published. It was written before the manifest: what is older is not read."""
    kept = target.parent / one.file
    if not kept.exists() or kept.stat().st_size != one.byte_count:
        return False
    return kept.stat().st_mtime_ns <= manifest_path(target).stat().st_mtime_ns or checksum(kept) == one.sha256


def _found(target: Path) -> Release | None:
    """The listed release that the published file is; None of one that another program has changed."""
    listed, now = read_manifest(target).releases, target.stat()
    for one in listed:
        kept = target.parent / one.file
        if kept.exists() and kept.stat().st_mtime_ns == now.st_mtime_ns and now.st_size == one.byte_count:
            return one
    digest = checksum(target) if listed else ""
    return next((one for one in listed if one.sha256 == digest), None)


def _newest(target: Path) -> Release | None:
    return next(iter(read_manifest(target).releases), None)


def kept_name(target: Path, number: int) -> str:
    """The path of a kept release, relative to the folder of the published file."""
    return f"{releases_folder(target).name}/{number:06d}{target.suffix}"


def checksum(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _kept(target: Path) -> list[Path]:
    return [file for file in releases_folder(target).glob(f"*{target.suffix}") if re.fullmatch(r"\d+", file.stem)]


def _prune(target: Path, wanted: set[str]) -> None:
    for file in _kept(target):
        if f"{file.parent.name}/{file.name}" not in wanted:
            file.unlink(missing_ok=True)
