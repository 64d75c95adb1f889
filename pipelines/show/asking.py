"""The questions that the dashboard asks: the files of `sql/show`, by name, with a view's filters bound."""

from functools import cache
from typing import Any

from pipelines.foundation.sql_files import sql_folder
from pipelines.publish.snapshot import Row, Snapshot
from pipelines.show.url_filters import View


@cache
def question(name: str) -> str:
    """The SQL of a question."""
    return (sql_folder("show") / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _macros() -> str:
    return (sql_folder("show") / "macros" / "filters.sql").read_text(encoding="utf-8")


def ask(snapshot: Snapshot, name: str, view: View | None = None, **values: Any) -> list[Row]:  # noqa: ANN401 - SQL values
    """The rows of a question for a view, further values named. Raises MissingTableError, DamagedFileError."""
    chosen = view.values() if view else {}
    return snapshot.rows(question(name), chosen | values, macros=_macros())
