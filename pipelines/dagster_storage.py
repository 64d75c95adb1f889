"""Dagster's storage, under the name that a dagster.yaml of version 0.1.0 has; the command line corrects the file."""

from pipelines.orchestrate.dagster_internals import DagsterSqliteStorage as SteadySqliteStorage

__all__ = ["SteadySqliteStorage"]
