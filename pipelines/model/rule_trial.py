"""What other rules would make of the landed entries: both built from the same rows, aside, and compared."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.foundation.duckdb_errors import quoted
from pipelines.foundation.telling import Tell
from pipelines.model import building
from pipelines.model.rules import RuleBook, store_rules
from pipelines.model.sql_models import models_behind
from pipelines.settings import Settings

_ASKED = {"model.range_failure_rates", "model.unrecognised_entries"}
_CHANGES = """
select
    before.kind,
    before.failure_reason,
    after.kind,
    after.failure_reason,
    before.is_understood,
    after.is_understood,
    before.name,
    before.description_pattern,
    count(*) as entry_count
from before.model.history_entries as before
inner join after.model.history_entries as after on before.entry_id = after.entry_id
where (before.kind, before.failure_reason, before.is_understood)
    is distinct from (after.kind, after.failure_reason, after.is_understood)
group by all
order by entry_count desc, before.name, before.description_pattern
"""
# One range, all of the data, in place of the days and periods for which rates are published.
_ONE_RANGE = """
create table model.range_days as
select
    1 as range_id,
    min(day_date) over () as from_date,
    max(day_date) over () as until_date,
    null::timestamptz as until_at,
    day_date
from (select distinct day_date from model.history_entries)
where day_date <= (select as_of_date from model.horizon)
"""
_RATES = """
select
    business_id, currency_code, attempt_count, failed_attempt_count, no_rate_because, first_attempt_failure_ratio
from {0}.model.range_failure_rates
where not is_all_businesses and attempt_count > 0
"""
_MOVED = f"""
select
    coalesce(names.business_name, 'Business ' || business_id, 'no business') as business_name,
    currency_code,
    before.first_attempt_failure_ratio,
    after.first_attempt_failure_ratio,
    coalesce(before.attempt_count, 0),
    coalesce(after.attempt_count, 0),
    coalesce(before.failed_attempt_count, 0),
    coalesce(after.failed_attempt_count, 0),
    before.no_rate_because,
    after.no_rate_because
from ({_RATES.format("before")}) as before
full join ({_RATES.format("after")}) as after using (business_id, currency_code)
left join after.land.business_names as names using (business_id)
where before is distinct from after
order by business_id, currency_code
"""  # noqa: S608 - our own text
_UNKNOWN = """
select name, description_pattern, is_problem, entry_count from after.model.unrecognised_entries order by frequency_rank
"""


@dataclass(frozen=True)
class ChangedEntries:
    """Entries of one title and text pattern that other rules take for something else."""

    old_kind: str
    old_reason: str | None
    new_kind: str
    new_reason: str | None
    was_understood: bool
    is_understood: bool
    name: str | None
    pattern: str | None
    entry_count: int


@dataclass(frozen=True)
class MovedRate:
    """A business and currency whose rate over all of its history is another by the other rules. Ratios are 0 to 1."""

    business_name: str
    currency_code: str | None
    old_ratio: float | None
    new_ratio: float | None
    old_attempt_count: int
    new_attempt_count: int
    old_failed_count: int
    new_failed_count: int
    old_no_rate_because: str | None
    new_no_rate_because: str | None


@dataclass(frozen=True)
class UnknownWording:
    """A wording that no rule explains, by the other rules."""

    name: str | None
    pattern: str | None
    is_problem: bool
    entry_count: int


@dataclass(frozen=True)
class Trial:
    """How figures by other rules differ from those by today's, each list with the most frequent, or by business."""

    entry_count: int
    changes: list[ChangedEntries]
    rates: list[MovedRate]
    unknown: list[UnknownWording]


def try_rules(
    connection: duckdb.DuckDBPyConnection, settings: Settings, books: tuple[RuleBook, RuleBook], tell: Tell
) -> Trial:
    """Builds what decides the rates by the rules of today and by others, beside a warehouse that is only read."""
    with tempfile.TemporaryDirectory(prefix="rules-") as folder, _aside(connection, Path(folder)):
        for side, book in zip(("before", "after"), books, strict=True):
            connection.execute(f"use {side}")
            building.prepare(connection, settings.reporting_timezone, settings.payment_lost_after_days)
            store_rules(connection, book)
            for model in models_behind(_ASKED):
                if model.name == "range_days":
                    connection.execute(_ONE_RANGE)
                else:
                    tell(building.BuiltModel(model, building.build(connection, model), ()))
        ((count,),) = connection.execute("select count(*) from after.model.history_entries").fetchall()
        return Trial(
            count,
            [ChangedEntries(*row) for row in connection.execute(_CHANGES).fetchall()],
            [MovedRate(*row) for row in connection.execute(_MOVED).fetchall()],
            [UnknownWording(*row) for row in connection.execute(_UNKNOWN).fetchall()],
        )


@contextmanager
def _aside(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[None]:
    """Two databases in a folder of their own, which show what the warehouse holds as their own."""
    ((warehouse,),) = connection.execute("select current_database()").fetchall()
    read = {"land.business_names"}.union(*(model.upstream for model in models_behind(_ASKED)))
    for side in ("before", "after"):
        connection.execute(f"attach {quoted(str(folder / f'{side}.duckdb'))} as {side}")
        connection.execute(f"create schema {side}.land; create schema {side}.record")
        for table in (one for one in read if one.startswith(("land.", "record."))):
            connection.execute(f"create view {side}.{table} as from {warehouse}.{table}")
    try:
        yield
    finally:
        connection.execute(f"use {warehouse}; detach before; detach after")
