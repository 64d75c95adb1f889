"""A modelled warehouse, made once, and published files of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from landed_canaries import modelled_warehouse

from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import Published, publish

NOW = datetime(2025, 7, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="session")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with modelled_warehouse() as connection:
        yield connection


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "analytics.duckdb"


@pytest.fixture
def publish_once(warehouse: duckdb.DuckDBPyConnection, target: Path) -> Callable[..., Published]:
    models = load_models()

    def publish_now(*, personal_data: bool = False, to: Path = target, **options: Any) -> Published:
        return publish(warehouse, models, to, personal_data=personal_data, now=NOW, **options)

    return publish_now
