"""Each release in a bucket of an object store, if NEXUDUS_PUBLISH_TO names one: S3 and what is like it, GCS, Azure.

A release is a folder of its own, `releases/<instant>-<number>/`. Only when all of it is there do the file and the
report under their unchanging names follow, and last `latest.json`, which says which release is the newest. What goes
wrong stops no run: it is kept beside the published file, for `status`, alerts and the next sync, which tries again.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from pipelines.foundation.private_files import replace_file
from pipelines.publish import releases
from pipelines.publish.parquet import parquet_folder, release_name
from pipelines.publish.releases import Release
from pipelines.settings import Settings

_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(minutes=2)}
# Stores copy at most 5 GB in one request.
_LARGEST_COPY = 5_000_000_000
_TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json"}
_REASONS = {
    "ModuleNotFoundError": "the library for it is missing: install `nexudus-billing[bucket]`",
    "FileNotFoundError": "there is no such bucket, or a file of the release is missing here",
    "PermissionDeniedError": "the store refused: check the key and its rights to read, write and delete",
    "UnauthenticatedError": "the store refused the key",
}


class _Upload(msgspec.Struct, frozen=True):
    """The newest attempt: where to, the checksum of which file, and why it failed, if it did."""

    address: str
    sha256: str
    trouble: str | None


def upload(settings: Settings) -> str | None:
    """Bring the newest release to the bucket and remove releases there that are no longer kept here.

    What went wrong, as a sentence without secrets, or None.
    """
    target, address = settings.analytics_path, settings.publish_to or ""
    with releases.one_publisher(_state_path(target)):
        kept = releases.read_manifest(target).releases
        try:
            _upload(settings, target, kept)
            reason = None
        except Exception as error:  # noqa: BLE001 - the figures are good, whatever the store does
            reason = _reason(error)
        state = _Upload(address, kept[0].sha256 if kept else "", reason)
        replace_file(_state_path(target), msgspec.json.encode(state))
    return trouble(settings)


def trouble(settings: Settings) -> str | None:
    """That the published file is not in the bucket, and why, as a sentence; None where it is, or need not be."""
    newest = releases.read_manifest(settings.analytics_path).releases[:1]
    if not settings.publish_to or not newest:
        return None
    try:
        last = msgspec.json.decode(_state_path(settings.analytics_path).read_bytes(), type=_Upload)
    except (OSError, msgspec.MsgspecError):
        last = _Upload("", "", None)
    is_of_now = (last.address, last.sha256) == (settings.publish_to, newest[0].sha256)
    if is_of_now and last.trouble is None:
        return None
    why = f" ({last.trouble})" if is_of_now else ""
    return (
        f"Release {newest[0].release_number} is not in {settings.publish_to}{why}. It is published here, and the next"
        " `nexudus-billing sync` uploads it."
    )


def folder_of(release: Release) -> str:
    """The folder of a release in the bucket: by the instant first, so that names sort by time on any machine."""
    return f"releases/{release.published_at:%Y%m%dT%H%M%SZ}-{release.release_number:06d}"


def _upload(settings: Settings, target: Path, kept: list[Release]) -> None:
    import obstore  # noqa: PLC0415 - an extra

    store, newest = _store(settings), kept[0]
    folder = folder_of(newest)
    # The local folder of a store that is a mounted disk takes no content types.
    types = {} if str(settings.publish_to).startswith("file:") else _TYPES

    def put(name: str, content: Path | bytes) -> None:
        known = types.get(Path(name).suffix)
        obstore.put(store, name, content, attributes={"Content-Type": known} if known else None)

    files = dict(_files(target, newest))
    for name, file in files.items():
        put(f"{folder}/{name}", file)
    for name in (target.name, releases.report_path(target).name):
        if files[name].stat().st_size < _LARGEST_COPY:
            obstore.copy(store, f"{folder}/{name}", name)
        else:
            put(name, files[name])
    pointer = msgspec.to_builtins(newest) | {"folder": folder, "file": f"{folder}/{target.name}"}
    put("latest.json", msgspec.json.format(msgspec.json.encode(pointer)))
    wanted = {folder_of(release) for release in kept}
    found = [meta["path"] for batch in obstore.list(store, "releases/") for meta in batch]
    stale = [path for path in found if "/".join(path.split("/")[:2]) not in wanted]
    if stale:
        obstore.delete(store, stale)


def _files(target: Path, newest: Release) -> Iterator[tuple[str, Path]]:
    yield target.name, target.parent / newest.file
    report = releases.report_path(target)
    yield report.name, report
    for file in sorted((parquet_folder(target) / release_name(newest.release_number)).glob("*/*.parquet")):
        yield f"parquet/{file.name}", file


def _store(settings: Settings) -> Any:  # noqa: ANN401 - a library that need not be there
    from obstore.store import from_url  # noqa: PLC0415 - an extra

    open_store: Any = from_url  # its overloads are for calls that name one kind of store
    address = str(settings.publish_to)
    if address.startswith("file:"):
        return open_store(address, mkdir=True)
    names = ("account_name", "account_key") if address.startswith("az:") else ("access_key_id", "secret_access_key")
    key = zip(names, (settings.publish_key_id, settings.publish_secret), strict=True)
    options: dict[str, Any] = {name: secret.get_secret_value() for name, secret in key if secret}
    if settings.publish_endpoint:
        options |= {"endpoint": settings.publish_endpoint}
    if settings.publish_region:
        options |= {"region": settings.publish_region}
    insecure = (settings.publish_endpoint or "").startswith("http:")
    return open_store(address, client_options={"allow_http": insecure}, retry_config=_RETRIES, **options)


def _reason(error: Exception) -> str:
    """Why the store did not take it. What it says may repeat the request, so only its code is told."""
    name = type(error).__name__
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    told = _REASONS.get(name) or getattr(error, "strerror", None) or f"{name}: nothing more is known"
    return f"{told}, {code[1]}" if code else told


def _state_path(target: Path) -> Path:
    return target.with_name(f"{target.stem}.bucket.json")
