# /// script
# requires-python = ">=3.11"
# dependencies = ["altair", "duckdb", "marimo", "polars", "pyarrow"]
# ///
"""A notebook on the published figures: `uvx marimo edit --sandbox notebook.py`; `uv run notebook.py` runs it once."""

import marimo

app = marimo.App()


@app.cell
def _():
    import os

    import duckdb
    import marimo as mo

    figures = duckdb.connect(os.environ.get("NEXUDUS_ANALYTICS", "data/analytics.duckdb"), read_only=True)
    return figures, mo


@app.cell
def _(figures, mo):
    currency = mo.ui.dropdown(
        [
            code
            for (code,) in figures.sql(
                "select distinct currency_code from monthly_payment_failure_rates order by all"
            ).fetchall()
        ],
        label="currency",
    )
    currency
    return (currency,)


@app.cell
def _(figures):
    by_month = figures.sql(
        """
        select
            month_start_date,
            currency_code,
            sum(first_attempt_count)::bigint as first_attempt_count,
            sum(failed_first_attempt_count) / sum(first_attempt_count) as first_attempt_failure_ratio
        from monthly_payment_failure_rates
        group by month_start_date, currency_code
        having sum(first_attempt_count) > 0
        order by month_start_date
        """
    ).pl()
    return (by_month,)


@app.cell
def _(by_month, currency):
    import altair as alt
    import polars as pl

    shown = by_month if currency.value is None else by_month.filter(pl.col("currency_code") == currency.value)
    chart = (
        alt.Chart(shown)
        .mark_line(point=True)
        .encode(
            x="month_start_date:T",
            y=alt.Y("first_attempt_failure_ratio:Q", axis=alt.Axis(format="%")),
            color="currency_code:N",
            tooltip=["month_start_date:T", "currency_code", "first_attempt_count", "first_attempt_failure_ratio"],
        )
    )
    chart
    return (chart,)


@app.cell
def _(figures):
    # Every table and column with its meaning.
    dictionary = figures.sql("select table_name, column_name, data_type, description from data_dictionary").pl()
    dictionary


if __name__ == "__main__":
    app.run()
