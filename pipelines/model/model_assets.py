"""Dagster's view of the models: an asset a table, with one check of all its promises, read from the files' headers."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import dagster as dg
import duckdb

from pipelines.foundation.telling import Tell
from pipelines.land.business_names import BUSINESS_NAMES
from pipelines.land.invoices_asset import INVOICES_KEY
from pipelines.land.landed_assets import HISTORIES, RECONCILIATIONS
from pipelines.model import building, inputs, rules, wording_warnings
from pipelines.model.sql_models import SqlModel, load_models
from pipelines.model.trend_tables import trend_table
from pipelines.settings import Settings

OpenWarehouse = Callable[[Settings], AbstractContextManager[duckdb.DuckDBPyConnection]]
GROUP = "model"
INPUTS = dg.AssetKey(["model", "inputs"])
PROMISES_CHECK = "promises_hold"
WORDS_CHECK = "words_are_understood"
WORDS_TABLE = "model.wording_coverage"


def model_assets(
    settings: Settings,
    open_warehouse: OpenWarehouse,
    models: Iterable[SqlModel] | None = None,
    *,
    is_published: Callable[[str], bool] = lambda _: False,
    tell: Tell = lambda _: None,
    pool: str | None = None,
) -> list[dg.AssetsDefinition]:
    """The inputs, then the rules and every model of `sql/model`, each with its check. Opens no database yet.

    `models` saves reading them again; `is_published` tells whether what is published was made from inputs of a version;
    `tell` is given each `BuiltModel`, or `Unchanged`; `pool` is the concurrency pool of the steps that write the
    warehouse.
    """
    models = load_models() if models is None else list(models)
    return [
        _inputs_asset(settings, open_warehouse, is_published, tell, pool),
        _figures_asset(models, settings, open_warehouse, tell, pool),
    ]


def asset_key(table: str) -> dg.AssetKey:
    """Key of a table's asset: `model.invoices` is `model/invoices`."""
    return dg.AssetKey(table.split("."))


class InputsConfig(dg.Config):
    """Whether to build the figures even if nothing has changed."""

    rebuild: bool = False


def _inputs_asset(
    settings: Settings,
    open_warehouse: OpenWarehouse,
    is_published: Callable[[str], bool],
    tell: Tell,
    pool: str | None,
) -> dg.AssetsDefinition:
    @dg.asset(
        key=INPUTS,
        deps=[HISTORIES, INVOICES_KEY, RECONCILIATIONS, BUSINESS_NAMES],
        group_name=GROUP,
        pool=pool,
        kinds={"duckdb"},
        output_required=False,
        description="What the figures are made from. Where nothing of it has changed since they were published, Dagster"
        " skips all that follows; `rebuild: true` has it built nevertheless.",
    )
    def model_inputs(context: dg.AssetExecutionContext, config: InputsConfig) -> Iterator[dg.MaterializeResult[None]]:
        with open_warehouse(settings) as connection:
            version = inputs.inputs_version(connection, settings)
            if not config.rebuild and inputs.are_built_from(connection, version) and is_published(version):
                context.log.info("Nothing that the figures are made from has changed: what is published stays.")
                tell(inputs.Unchanged())
                return
            inputs.remember_inputs(connection, version, context.run.run_id)
        yield dg.MaterializeResult(data_version=dg.DataVersion(version))

    return model_inputs


def _figures_asset(
    models: list[SqlModel], settings: Settings, open_warehouse: OpenWarehouse, tell: Tell, pool: str | None
) -> dg.AssetsDefinition:
    # One step for all of them: opening the warehouse, and what Dagster does for a step, take longer than most models.
    @dg.multi_asset(
        name="figures",
        specs=[_rules_spec(), *map(_model_spec, models)],
        check_specs=[spec for model in models for spec in (_check_spec(model), *_words_spec(model))],
        can_subset=True,
        pool=pool,
    )
    def build_figures(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        stopped: set[str] = set()
        with open_warehouse(settings) as connection:
            building.prepare(connection, settings.reporting_timezone, settings.payment_lost_after_days)
            if asset_key(rules.RULES_TABLE) in context.selected_asset_keys:
                yield _stored_rules(connection)
            for model in models:
                if asset_key(model.table) not in context.selected_asset_keys:
                    continue
                if not stopped.isdisjoint(model.deps):
                    stopped.add(model.table)
                    continue
                began = time.perf_counter()
                built = building.build_and_check(connection, model)
                tell(built)
                if built.broken:
                    stopped.add(model.table)
                yield _result(connection, built, time.perf_counter() - began)

    return build_figures


def _rules_spec() -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(rules.RULES_TABLE),
        deps=[INPUTS],
        group_name=GROUP,
        kinds={"duckdb", "csv"},
        description="The rules and word lists of sql/rules, which say what a history entry is.",
        skippable=True,
    )


def _model_spec(model: SqlModel) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(model.table),
        deps=sorted({key for table in model.deps if (key := _upstream(table))}),
        group_name=GROUP,
        kinds={"duckdb", "polars"} if model.frames else {"duckdb", "sql"},
        description=model.description,
        metadata={"dagster/column_schema": _column_schema(model, {})},
        code_version=model.version,
        skippable=True,
    )


def _stored_rules(connection: duckdb.DuckDBPyConnection) -> dg.MaterializeResult[Any]:
    loaded = rules.load_rules()
    return dg.MaterializeResult(
        asset_key=asset_key(rules.RULES_TABLE),
        metadata={"dagster/row_count": rules.store_rules(connection, loaded), "rules_version": loaded.version},
        data_version=dg.DataVersion(loaded.version),
    )


def _result(
    connection: duckdb.DuckDBPyConnection, built: building.BuiltModel, seconds: float
) -> dg.MaterializeResult[Any]:
    model = built.model
    types = building.column_types(connection, model.table)
    return dg.MaterializeResult(
        asset_key=asset_key(model.table),
        metadata={
            "dagster/row_count": built.row_count,
            "dagster/column_schema": _column_schema(model, types),
            "seconds": round(seconds, 2),
            "trend": dg.MetadataValue.md(trend_table(connection, model.table, types) or "This table has no months."),
        },
        check_results=[_check_result(built), *(_words_result(connection) for _ in _words_spec(model))],
    )


def _upstream(table: str) -> dg.AssetKey | None:
    """The asset that a model waits for: all of `land` comes through the inputs; what DuckDB itself knows, from none."""
    table = rules.RULES_TABLE if table == rules.WORDS_TABLE else table
    return {"land": INPUTS, "model": asset_key(table)}.get(table.partition(".")[0])


def _check_spec(model: SqlModel) -> dg.AssetCheckSpec:
    promises = "\n".join(f"- `{name}`: {sentence}" for name, sentence in building.promises_of(model).items())
    return dg.AssetCheckSpec(
        PROMISES_CHECK,
        asset=asset_key(model.table),
        description=f"Every promise about the table holds; where one breaks, nothing is published.\n\n{promises}",
        blocking=True,
    )


def _words_spec(model: SqlModel) -> list[dg.AssetCheckSpec]:
    if model.table != WORDS_TABLE:
        return []
    return [
        dg.AssetCheckSpec(
            WORDS_CHECK,
            asset=asset_key(WORDS_TABLE),
            description="The words of every business are understood; where not, its rates are null, and the rest is "
            "published.",
            blocking=False,
        )
    ]


def _words_result(connection: duckdb.DuckDBPyConnection) -> dg.AssetCheckResult:
    unknown = list(wording_warnings.warnings(connection))
    return dg.AssetCheckResult(
        asset_key=asset_key(WORDS_TABLE),
        check_name=WORDS_CHECK,
        passed=not unknown,
        severity=dg.AssetCheckSeverity.WARN,
        description="\n".join(unknown) or None,
        metadata={"business_count": len(unknown)},
    )


def _check_result(built: building.BuiltModel) -> dg.AssetCheckResult:
    broken = [
        {
            "promise": result.name,
            "sentence": result.sentence,
            "row_count": result.count,
            "first_rows": [{column: str(value) for column, value in row.items()} for row in result.rows],
        }
        for result in built.broken
    ]
    return dg.AssetCheckResult(
        asset_key=asset_key(built.model.table),
        check_name=PROMISES_CHECK,
        passed=not broken,
        description="; ".join(f"{one['promise']}: {one['row_count']} rows break it" for one in broken) or None,
        metadata={"promise_count": len(built.checks), "broken_promises": broken},
    )


def _column_schema(model: SqlModel, types: dict[str, str]) -> dg.TableSchema:
    columns = types or dict.fromkeys(model.columns, "")
    return dg.TableSchema([dg.TableColumn(name, kind, model.columns.get(name)) for name, kind in columns.items()])
