"""The polars model: problem entries per day against what that weekday is used to.

For a day d of a series (business, currency, kind) with count x:

- baseline b = median of the counts on d - 7, d - 14, ..., d - 56 days; null until four of these eight days are known.
  Same weekdays, because collections run on working days; a median, because one bad day must not raise its own bar.
- scale s = max(1.4826 * MAD, sqrt(b + 1)), where MAD is the median of |count - b| over the same days. 1.4826 makes the
  MAD of normal noise its standard deviation (Rousseeuw and Croux, JASA 88, 1993). Counts scatter at least as Poisson
  does, by the square root of their mean; the floor says so where eight equal days would claim no scatter at all, and
  its + 1 keeps a first entry after eight empty weeks from being infinitely odd.
- robust z = (x - b) / s, and an anomaly is z > 3.5, the cut that Iglewicz and Hoaglin advise (How to Detect and Handle
  Outliers, ASQC, 1993). Only too many problems are an anomaly; too few are good news.
"""

import duckdb
import polars as pl

SERIES = ["business_id", "currency_code", "kind"]
WEEKS = 8
WEEKS_NEEDED = 4
NORMAL_MAD = 1.4826
ANOMALY_Z = 3.5


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
    """One row per series and calendar day, with means, baseline, robust z and anomaly flag.

    `counts` has the series' columns, `day_date` and `problem_entry_count`, one row per day that has any; `spans` has
    `business_id`, `currency_code`, `first_date` and `last_date`: the days that a series of that location covers.
    """
    lags = [
        pl.col("problem_entry_count").shift(7 * week).over(SERIES).alias(f"lag_{week}") for week in range(1, 1 + WEEKS)
    ]
    deviations = [(pl.col(f"lag_{week}") - pl.col("baseline_count")).abs() for week in range(1, 1 + WEEKS)]
    return (
        _gapless(counts, spans)
        .with_columns(_mean(7), _mean(28), _baseline(), *lags)
        .with_columns(
            pl.max_horizontal(
                NORMAL_MAD * pl.concat_arr(deviations).arr.median(), (pl.col("baseline_count") + 1).sqrt()
            ).alias("scale")
        )
        .with_columns(
            ((pl.col("problem_entry_count") - pl.col("baseline_count")) / pl.col("scale")).alias("robust_z_score")
        )
        .with_columns((pl.col("robust_z_score") > ANOMALY_Z).fill_null(value=False).alias("is_anomaly"))
        .drop("scale", *(f"lag_{week}" for week in range(1, 1 + WEEKS)))
    )


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
