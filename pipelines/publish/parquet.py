"""The published tables as Parquet, one folder for each table, swapped in by one rename.

`analytics_parquet/current` is a link to the newest folder, for instance `release-000012`. The folder before it
stays until the next release, for readers that have its files open.
"""

import os
import re
import shutil
from pathlib import Path

import duckdb

from pipelines.foundation.private_files import make_private_folder, settle, unwritable
from pipelines.publish import releases
from pipelines.publish.snapshot import Snapshot, open_snapshot

_KEPT_COUNT = 2


def parquet_folder(analytics: Path) -> Path:
    """The folder of the Parquet files of a published file."""
    return analytics.with_name(f"{analytics.stem}_parquet")


def release_name(number: int) -> str:
    """The folder of a release."""
    return f"release-{number:06d}"


def publish_parquet(analytics: Path) -> Path:
    """Write each table of the published file to `<table>/<table>.parquet` below a folder; returns that folder.

    The path goes through `current`, so it is the same for every release. Raises WrongUseError when it cannot be
    written.
    """
    folder = parquet_folder(analytics)
    make_private_folder(folder, is_published=True)
    try:
        with releases.one_publisher(folder / "parquet"), open_snapshot(analytics, writes_to=folder) as snapshot:
            building = folder / f".building.{os.getpid()}"
            _sweep(folder)
            try:
                snapshot.with_memory_limit(lambda: _write(snapshot, building))
                made = folder / release_name(snapshot.about.release_number)
                shutil.rmtree(made, ignore_errors=True)
                building.rename(made)
                _point(folder / "current", made.name)
            finally:
                _sweep(folder)
            _prune(folder, {release.release_number for release in releases.read_manifest(analytics).releases})
    except (OSError, duckdb.IOException) as error:
        raise unwritable(folder, error, "check its permissions, and that its disk takes links.") from None
    return folder / "current"


def _write(snapshot: Snapshot, building: Path) -> None:
    for table in snapshot.tables:
        file = building / table / f"{table}.parquet"
        make_private_folder(file.parent, is_published=True)
        snapshot.copy_to(f'from "{table}"', file, "format parquet, compression zstd")
        settle(file, is_published=True)


def _point(link: Path, name: str) -> None:
    aside = link.with_name(f".building.link.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(name, target_is_directory=True)
    if link.is_dir() and not link.is_symlink():  # a copy of the folder that followed the link
        shutil.rmtree(link)
    aside.replace(link)


def _prune(folder: Path, listed: set[int]) -> None:
    made = sorted(path for path in folder.glob("release-*") if re.fullmatch(r"release-\d+", path.name))
    current = (folder / "current").readlink().name
    for old in made:
        is_kept = old in made[-_KEPT_COUNT:] and int(old.name.removeprefix("release-")) in listed
        if old.name != current and not is_kept:
            shutil.rmtree(old, ignore_errors=True)


def _sweep(folder: Path) -> None:
    for stale in folder.glob(".building.*"):
        if stale.is_symlink():
            stale.unlink(missing_ok=True)
        else:
            shutil.rmtree(stale, ignore_errors=True)
