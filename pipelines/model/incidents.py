"""Incidents: stretches of days on which a series went wrong, with a beginning and an end, from its counts by day.

Called from outside too: a pure function of the frame. What a day is judged by: see `rate_watch` and `silence_watch`.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl

from pipelines.model.rate_watch import Found, rate_incidents
from pipelines.model.silence_watch import silences

SERIES = ["business_id", "currency_code"]
COUNTS = ["attempt_count", "failed_attempt_count", "entry_count", "einvoice_count", "failed_einvoice_count"]
FACTS = {
    "incident_kind": pl.String,
    "started_on_date": pl.Date,
    "detected_on_date": pl.Date,
    "ended_on_date": pl.Date,
    "watched_count": pl.Int64,
    "observed_count": pl.Int64,
    "expected_count": pl.Float64,
    "observed_ratio": pl.Float64,
    "usual_ratio": pl.Float64,
    "chance_probability": pl.Float64,
}


_DAYS = """
with entries as (
    select
        business_id, currency_code, day_date,
        count(*) as entry_count,
        count(*) filter (where kind in ('einvoice_succeeded', 'einvoice_failed')) as einvoice_count,
        count(*) filter (where kind = 'einvoice_failed') as failed_einvoice_count,
    from model.history_entries group by all
),
days as (
    select * from entries
    union all by name
    select business_id, currency_code, day_date, attempt_count, failed_attempt_count,
    from model.daily_payment_failure_rates
    union all by name
    select distinct business_id, currency_code, last_complete_date as day_date, from entries cross join model.horizon
)
from days where day_date <= (select last_complete_date from model.horizon)
"""


def read_incidents(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The incidents of the warehouse's complete days."""
    return find_incidents(pl.DataFrame(connection.sql(_DAYS)))


def find_incidents(days: pl.DataFrame) -> pl.DataFrame:
    """The incidents of all series, in the order of their detection.

    `days` has a row per `business_id`, `currency_code` (may be null) and `day_date`, with `attempt_count`,
    `failed_attempt_count` and `entry_count` (entries of any kind), if known also `einvoice_count` and
    `failed_einvoice_count`; rows and columns in any order, further columns ignored. A series runs from its first entry
    to the newest day of the whole frame; a missing day is a day without entries. Leave out a day that is not over.

    Returns a row per incident: `business_id`, `currency_code`; `incident_kind` (rate_shift, burst, silence, einvoice);
    `started_on_date`, `detected_on_date`, `ended_on_date` (the last bad day; null while the incident lasts). How large,
    from start to detection: `watched_count` (attempts or e-invoices; silent days of a silence), `observed_count`
    (failures among them, entries of a silence) against `expected_count`, `observed_ratio` against `usual_ratio` (null
    for a silence). How sure: `chance_probability` of this or more by chance at the usual rate, in just these days.
    Nothing but the end depends on days after the detection. A silence is of a business as a whole; it carries the
    currency of most of the business's entries.
    """
    identity = {name: days.schema.get(name, kind) for name, kind in zip(SERIES, (pl.Int64, pl.String), strict=True)}
    schema = {**identity, **FACTS}
    if days.is_empty():
        return pl.DataFrame(schema=schema)
    counts = _counts(days)
    newest: date = counts["day_date"].max()  # type: ignore[assignment]  # a column of dates that is not empty
    incidents = pl.DataFrame([*_rate_rows(counts, newest), *_silence_rows(counts, newest)], schema=schema, orient="row")
    return incidents.sort("detected_on_date", *SERIES, "incident_kind", "started_on_date", nulls_last=True)


def _counts(days: pl.DataFrame) -> pl.DataFrame:
    """A row per series and day with all counts; an attempt is an entry, and a failed attempt an attempt."""
    return (
        days.lazy()
        .with_columns(pl.lit(0).alias(name) for name in COUNTS if name not in days.columns)
        .group_by(*SERIES, pl.col("day_date").cast(pl.Date))
        .agg(pl.col(name).cast(pl.Int64).sum() for name in COUNTS)
        .with_columns(pl.max_horizontal(tried, failed).alias(tried) for tried, failed in (COUNTS[:2], COUNTS[3:]))
        .with_columns(pl.max_horizontal("entry_count", "attempt_count"))
        .filter(pl.col("day_date").is_not_null())
        .sort(*SERIES, "day_date", nulls_last=True)
        .collect()
    )


def _rate_rows(counts: pl.DataFrame, newest: date) -> Iterator[tuple[Any, ...]]:
    for (business, currency), part in counts.group_by(SERIES, maintain_order=True):
        first, (attempts, failures) = _gapless(part, COUNTS[:2], newest)
        for found in rate_incidents(attempts, failures):
            yield business, currency, *_facts(found, first)
        first, (invoices, errors) = _gapless(part, COUNTS[3:], newest)
        for found in rate_incidents(invoices, errors):
            # A burst of errors begins what a shift goes on with, or is one night of the authority: no incident.
            if found.kind == "rate_shift":
                yield business, currency, *_facts(found._replace(kind="einvoice"), first)


def _silence_rows(counts: pl.DataFrame, newest: date) -> Iterator[tuple[Any, ...]]:
    for (business,), part in counts.group_by(SERIES[:1], maintain_order=True):
        first, (entries,) = _gapless(
            part.group_by("day_date").agg(pl.col("entry_count").sum()), ["entry_count"], newest
        )
        for found in silences(first, entries):
            known = part.filter(pl.col("day_date") < first + timedelta(days=found.started))
            totals = known.group_by("currency_code").agg(pl.col("entry_count").sum())
            by_size = totals.sort("entry_count", "currency_code", descending=[True, False], nulls_last=True)
            yield business, by_size["currency_code"][0], *_facts(found, first)


def _gapless(part: pl.DataFrame, names: list[str], newest: date) -> tuple[date, list[list[int]]]:
    """The first day on which there is anything, and each count for every day from there to the newest."""
    active = part.filter(pl.any_horizontal(pl.col(names) > 0))
    first: date = active["day_date"].min() or newest  # type: ignore[assignment]  # a column of dates
    places = (active["day_date"] - first).dt.total_days().to_list()
    counts = [[0] * ((newest - first).days + 1) for _ in names]
    for name, series in zip(names, counts, strict=True):
        for place, count in zip(places, active[name].to_list(), strict=True):
            series[place] = count
    return first, counts


def _facts(found: Found, first: date) -> tuple[Any, ...]:
    started, detected, ended = (
        None if day is None else first + timedelta(days=day) for day in (found.started, found.detected, found.ended)
    )
    ratio = None if found.usual_ratio is None else found.observed / found.watched
    counts = (found.watched, found.observed, found.expected)
    return (found.kind, started, detected, ended, *counts, ratio, found.usual_ratio, found.chance)
