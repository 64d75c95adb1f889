"""Runs a Dagster job here and now, without a server, and records it in Dagster's own instance."""

import os
import re
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dagster as dg
from filelock import FileLock
from sqlalchemy.exc import SQLAlchemyError

from pipelines.errors import WrongUseError
from pipelines.foundation.private_files import close_folder, make_private_folder, replace_file
from pipelines.orchestrate.dagster_internals import record_under_code_location, sqlite_held_open
from pipelines.settings import Settings

_PACKAGE = Path(__file__).parents[1]
# What version 0.1.0 wrote into dagster.yaml: a storage class of ours, and the launcher where it then was.
_STORAGE_COMMENT = re.compile(r"^# The stock SQLite files, read and written with connections.*\n", re.MULTILINE)
_STORAGE = re.compile(
    r"^  custom:\n    module: pipelines\.dagster_storage\n    class: SteadySqliteStorage\n"
    r"    config:\n((?:      .*\n)+)",
    re.MULTILINE,
)
_LAUNCHER = re.compile(r"\bpipelines\.run_launcher\b")


def use_dagster_home(settings: Settings) -> Path:
    """The folder of Dagster's instance: DAGSTER_HOME, else `dagster` in the data directory, made if missing.

    A dagster.yaml that names classes of version 0.1.0 is corrected; every other line stays as it is.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or settings.data_dir / "dagster").absolute()
    if unquote(str(home)) != str(home) or "?" in str(home):
        raise WrongUseError(
            f"Dagster cannot keep its runs in {home}, for % and ? mean something in its addresses of "
            "files: set DAGSTER_HOME to another folder."
        )
    make_private_folder(home)
    close_folder(home)
    file = home / "dagster.yaml"
    try:
        found = (file if file.exists() else instance_template()).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _not_understood(file, "it is no text in UTF-8") from None
    if (wanted := _current(found)) != found or not file.exists():
        replace_file(file, wanted.encode())
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _current(dagster_yaml: str) -> str:
    """The file with Dagster's own storage, in the same place, and the launcher where it is now."""
    text = _STORAGE.sub(lambda found: "  sqlite:\n" + re.sub("^  ", "", found[1], flags=re.MULTILINE), dagster_yaml)
    return _LAUNCHER.sub("pipelines.orchestrate.dagster_internals", _STORAGE_COMMENT.sub("", text))


def instance_template() -> Path:
    """The dagster.yaml of one machine: in a checkout's `deploy/`, or inside the installed package."""
    checkout = _PACKAGE.parent / "deploy" / "one-machine" / "dagster.yaml"
    return checkout if checkout.exists() else _PACKAGE / "dagster.yaml"


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance of these settings.

    A database of it that is damaged is renamed to `….damaged` and begun anew: it holds the record of runs, no data.
    Raises WrongUseError where dagster.yaml is not understood.
    """
    home = use_dagster_home(settings)
    # Of two processes that find no tables both would make them, and one would fail.
    with FileLock(home / "instance.lock"):
        _set_damaged_aside(home)
        try:
            instance = dg.DagsterInstance.get()
        except (OSError, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001 - for a file that it does not understand Dagster has many
            raise _not_understood(home / "dagster.yaml", str(error).partition("\n")[0]) from None
    with instance:
        yield instance


def _set_damaged_aside(home: Path) -> None:
    for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
        if _is_damaged(home / name):
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{home / name}{suffix}").rename(f"{home / name}{suffix}.damaged")


def _is_damaged(database: Path) -> bool:
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchall()
    except sqlite3.OperationalError:  # locked, say
        return False
    except sqlite3.DatabaseError:
        return True
    return False


def _not_understood(file: Path, reason: str) -> WrongUseError:
    return WrongUseError(
        f"{file} is not understood ({reason}): correct it, or move it away, and the next command writes a new one."
    )


def run_job(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    job_name: str,
    *,
    months: tuple[str, str],
    ops: Mapping[str, Any],
    verbose: bool,
) -> str:
    """Run a job over a range of monthly partitions in this process; the run's id.

    An error of an asset is raised as it was; a DagsterError where a check stopped the run.
    """
    record_under_code_location(instance, job_name)
    run_id = str(uuid.uuid4())
    try:
        with sqlite_held_open(instance, run_id):
            definitions.resolve_job_def(job_name).execute_in_process(
                instance=instance,
                run_config={
                    "ops": dict(ops),
                    "loggers": {"console": {"config": {"log_level": "INFO" if verbose else "CRITICAL"}}},
                },
                run_id=run_id,
                tags={"dagster/asset_partition_range_start": months[0], "dagster/asset_partition_range_end": months[1]},
            )
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    return run_id
