"""Where the SQL lives: `sql/` at the top of a checkout, or inside the installed package."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def sql_folder(stage: str) -> Path:
    """Folder of a stage's SQL files (`land`, `model`, `checks`, `rules`, ...)."""
    checkout = _PACKAGE.parent / "sql"
    return (checkout if checkout.is_dir() else _PACKAGE / "sql") / stage
