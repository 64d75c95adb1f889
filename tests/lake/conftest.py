"""A lake of each kind: with its catalogue in a file in every run, in PostgreSQL and with S3 where `-m lake` asks."""

from collections.abc import Callable

import pytest
from tested_warehouse import new_warehouse

from pipelines.sandbox.pytest_plugin import (  # noqa: F401 - pytest finds fixtures by their names here
    sandbox,
    sandbox_knobs,
    sandbox_operator,
    start_sandbox,
)
from pipelines.settings import Settings

on_servers = [pytest.param("postgres", marks=pytest.mark.lake), pytest.param("s3", marks=pytest.mark.lake)]


@pytest.fixture
def lake_of(tmp_path) -> Callable[..., Settings]:
    """Settings of a new lake of a kind, everything else below the test's own folder."""

    def make(kind: str, **changes: object) -> Settings:
        values = {"data_dir": tmp_path / f"{kind}-data"} | new_warehouse(tmp_path, kind) | changes
        return Settings(_env_file=None, **values)

    return make


@pytest.fixture(params=["lake", *on_servers])
def lake_settings(request, lake_of) -> Settings:
    return lake_of(request.param)


@pytest.fixture(params=on_servers)
def shared_lake(request, lake_of) -> Settings:
    """A lake that several processes write to at once."""
    return lake_of(request.param)
