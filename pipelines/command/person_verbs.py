"""What is held about one customer, wherever it is, and how it is erased there."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import duckdb
import msgspec

from pipelines.errors import BrokenPromiseError, TryAgainLaterError, WrongUseError
from pipelines.land.erasing import Held, erase_person, held_of
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.model.building import build_all
from pipelines.model.sql_models import load_models
from pipelines.model.withholding import withhold
from pipelines.orchestrate.dagster_internals import forget_runs
from pipelines.orchestrate.in_process import dagster_instance, use_dagster_home
from pipelines.publish import bucket, releases
from pipelines.publish.analytics import publish
from pipelines.publish.parquet import parquet_folder, publish_parquet
from pipelines.publish.snapshot import open_snapshot
from pipelines.publish.spreadsheets import export_folder, remove_exports
from pipelines.settings import Settings, utc_now
from pipelines.show.report import write_report

_BLOCK = 1 << 20


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What is held about a customer: in the warehouse, in which published files, and what other files name them."""

    customer_id: int
    warehouse: Held
    releases_with_their_invoices: list[str]
    parquet_folders: list[str]
    exported_files: list[str]
    files_that_name_them: list[str]


def show_person(settings: Settings, person: int) -> Findings:
    """What is held about the customer with this Id. Raises WrongUseError where nothing is."""
    held = _held(settings, person)
    target = settings.analytics_path
    return Findings(
        customer_id=person,
        warehouse=held,
        releases_with_their_invoices=[str(file) for file in _releases(target) if _has_invoices(file, held.invoice_ids)],
        parquet_folders=[str(folder) for folder in sorted(parquet_folder(target).glob("release-*"))],
        exported_files=[str(file) for file in sorted(export_folder(settings).glob("*")) if file.is_file()],
        files_that_name_them=[str(file) for file in files_naming(_folders(settings), held.names)],
    )


def erase(settings: Settings, person: int) -> tuple[Held, list[str]]:
    """Erase the customer everywhere; what was held, and files that name them still, for a person to look at.

    Figures are built and published anew, and stay as they were. Raises WrongUseError where nothing is held or entries
    wait to be sent, BrokenPromiseError where the figures cannot be published: the customer is erased in the
    warehouse nevertheless, and the files published before are still there.
    """
    held = _held(settings, person)
    warehouse = warehouse_of(settings)
    with open_warehouse(settings) as connection:
        with warehouse.writing_alone(connection):
            erase_person(connection, person, withhold, utc_now())
        broken = build_and_publish(settings, connection)
        warehouse.forget_deleted(connection)
    if broken:
        raise BrokenPromiseError(
            f"The customer is erased in the warehouse, but promises about {', '.join(broken)} broke, so the files that "
            "were published before are still there: run `nexudus-billing sync`, then erase the customer once more."
        )
    releases.forget_older(settings.analytics_path)
    publish_the_rest(settings)
    remove_exports(export_folder(settings))
    with dagster_instance(settings) as instance:
        forget_runs(instance, spellings(held.names))
    if settings.publish_to and (trouble := bucket.upload(settings)):
        raise TryAgainLaterError(f"The customer is erased here, but not yet in the bucket. {trouble}")
    return held, [str(file) for file in files_naming(_folders(settings), held.names)]


def build_and_publish(settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Build the figures and publish them; the tables whose promises broke, in which case nothing is published."""
    models = load_models()
    built = build_all(
        connection,
        settings.reporting_timezone,
        models=models,
        payment_lost_after_days=settings.payment_lost_after_days,
    )
    broken = sorted(one.model.table for one in built if one.broken)
    if not broken:
        publish(
            connection,
            models,
            settings.analytics_path,
            personal_data=settings.publish_personal_data,
            tokens=settings.publish_tokens,
        )
    return broken


def publish_the_rest(settings: Settings) -> None:
    """Make Parquet files and the report of what is published."""
    publish_parquet(settings.analytics_path)
    with open_snapshot(settings.analytics_path) as snapshot:
        write_report(snapshot, releases.report_path(settings.analytics_path), utc_now())


def _held(settings: Settings, person: int) -> Held:
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        raise WrongUseError(f"There is no warehouse at {warehouse.name} yet: run `nexudus-billing sync`.")
    with open_warehouse(settings, read_only=True) as connection:
        held = held_of(connection, person)
    if not (held.entry_count or held.version_count or held.invoice_count or held.rejected_count):
        raise WrongUseError(
            f"Nothing is held about a customer with the Id {person}: take the coworker Id, as `invoices` shows it."
        )
    return held


def _releases(target: Path) -> list[Path]:
    return [target, *sorted(releases.releases_folder(target).glob(f"*{target.suffix}"))]


def _has_invoices(file: Path, invoice_ids: list[int]) -> bool:
    if not file.exists():
        return False
    with open_snapshot(file) as snapshot:
        return bool(
            snapshot.rows(
                "select 1 from invoices where list_contains(getvariable('ids'), invoice_id) limit 1",
                {"ids": invoice_ids},
            )
        )


def _folders(settings: Settings) -> list[Path]:
    held = warehouse_of(settings).folders
    return [settings.data_dir, *held, settings.analytics_path.parent, use_dagster_home(settings)]


def files_naming(folders: Iterable[Path], names: Iterable[str]) -> list[Path]:
    """The files below these folders in which any of the names stands, as text or as JSON writes it."""
    wanted = [each.encode() for each in spellings(names)]
    if not wanted:
        return []
    pattern, longest = re.compile(b"|".join(map(re.escape, wanted)), re.IGNORECASE), max(map(len, wanted))
    files = {file.resolve() for folder in folders for file in folder.rglob("*") if file.is_file()}
    return sorted(file for file in files if _holds(file, pattern, longest))


def _holds(file: Path, pattern: re.Pattern[bytes], longest: int) -> bool:
    with file.open("rb") as stream:
        read = b""
        while block := stream.read(_BLOCK):
            read = read[-longest:] + block
            if pattern.search(read):
                return True
    return False


def spellings(names: Iterable[str]) -> list[str]:
    """Each name, and as JSON writes it where it has letters beyond ASCII."""
    return sorted({each for name in names if name.strip() for each in (name, json.dumps(name)[1:-1])})
