"""The polars model: problem entries per day, their means, and what is usual for the weekday.

The baseline of a day is the median of the counts on that day a week ago, two weeks ago, up to eight weeks ago; null
until four of these are known. Same weekdays, because collections run on working days; a median, because one bad day
must not raise what is usual. Whether something is wrong is not told by a day but by `incidents`: days follow the
billing calendar.
"""

import duckdb
import polars as pl

SERIES = ["business_id", "currency_code", "kind"]
WEEKS = 8
WEEKS_NEEDED = 4


def read_trends(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The trends of the warehouse's problem entries, from each location's first entry to the newest data."""
    counts = connection.sql(
        "select business_id, currency_code, kind, day_date, sum(problem_entry_count)::bigint as problem_entry_count"
        " from model.daily_problem_entries where day_date <= (select as_of_date from model.horizon) group by all"
    )
    spans = connection.sql(
        "select business_id, currency_code, min(day_date) as first_date, any_value(horizon.as_of_date) as last_date"
        " from model.history_entries inner join model.horizon on day_date <= horizon.as_of_date group by all"
    )
    return problem_trends(pl.DataFrame(counts), pl.DataFrame(spans))


def problem_trends(counts: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """One row per series and calendar day, with means and baseline.

    `counts` has the series' columns, `day_date` and `problem_entry_count`, one row per day that has any; `spans` has
    `business_id`, `currency_code`, `first_date` and `last_date`: the days that a series of that location covers.
    """
    return _gapless(counts, spans).with_columns(_mean(7), _mean(28), _baseline())


def _gapless(counts: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    days = pl.date_ranges(pl.col("first_date"), pl.col("last_date")).alias("day_date")
    return (
        counts.select(SERIES)
        .unique()
        .join(spans, on=SERIES[:2], nulls_equal=True)
        .select(*SERIES, days)
        .explode("day_date")
        .join(counts, on=[*SERIES, "day_date"], how="left", nulls_equal=True)
        .with_columns(pl.col("problem_entry_count").fill_null(0))
        .sort([*SERIES, "day_date"])
    )


def _mean(days: int) -> pl.Expr:
    # Not a rolling sum divided by the number of days: polars multiplies by 1 / 7 there, and the last digit is off.
    return (
        pl.col("problem_entry_count").rolling_mean(days, min_samples=days).over(SERIES).alias(f"mean_{days}_day_count")
    )


def _baseline() -> pl.Expr:
    weekday = pl.col("day_date").dt.weekday()
    return (
        pl.col("problem_entry_count")
        .shift(1)
        .rolling_median(WEEKS, min_samples=WEEKS_NEEDED)
        .over([*SERIES, weekday])
        .alias("baseline_count")
    )
