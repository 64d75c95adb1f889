"""Problem trends: the days of each series, what its weekday is used to, and the days that stand out."""

from datetime import date, timedelta

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.markup import Cell, Column
from pipelines.show.page_frame import Frame, draw_chart, grid, html, nothing

FILTERS = ("period", "business", "currency", "kind")
_MOST_CHARTS = 6
_MOST_ANOMALIES = 50
_SHORTEST = timedelta(days=91)
ANOMALY_COLUMNS = (
    Column("Day"),
    Column("Business"),
    Column("Currency"),
    Column("Kind"),
    Column("Problem entries", True),
    Column("Usual", True, "Median of the same weekday over the eight weeks before"),
    Column("Oddness", True, "Robust standard deviations above the usual; an anomaly is above 3.5"),
)


def draw(frame: Frame) -> None:
    """The page."""
    period = frame.view.period
    until = min(period.end_date, period.data_until_date)
    span = {"from": min(period.start_date, until - _SHORTEST), "until": until}
    series = frame.ask("trend_series", **span, limit=_MOST_CHARTS)
    if not series:
        nothing("No problem entries in this view", "Choose another period, or fewer businesses, currencies and kinds.")
        return
    st.subheader(f"Days that stand out, {period.label}")
    odd = frame.ask("anomalies", until=until, limit=_MOST_ANOMALIES)
    if odd:
        html(markup.table("Anomalies, the oddest first", ANOMALY_COLUMNS, anomaly_rows(frame, odd), css="nb-wide"))
    else:
        html(markup.notice("No day stood out from what its weekday is used to.", "good"))
    st.subheader(f"{as_text.day(span['from'])} to {as_text.day(until)}")
    html(markup.paragraph(_legend(series[0]["series_count"])))
    for place, one in zip(grid(len(series), 3), series, strict=False):
        with place:
            _series(frame, one, span)


def anomaly_rows(frame: Frame, odd: list[Row], *, linked: bool = True) -> list[list[Cell | str]]:
    """Lines of the table of anomalies, each day leading to its entries."""
    return [
        [
            Cell(
                as_text.day(row["day_date"]),
                link=frame.view.address(
                    "entries",
                    businesses=() if row["business_id"] is None else (row["business_id"],),
                    currencies=(row["currency_code"] or "none",),
                    kinds=(row["kind"],),
                    day_date=row["day_date"],
                )
                if linked
                else "",
            ),
            row["business_name"],
            as_text.currency(row["currency_code"]),
            as_text.words(row["kind"]),
            as_text.count(row["problem_entry_count"]),
            f"{row['baseline_count']:.1f}",
            f"{row['robust_z_score']:.1f}",
        ]
        for row in odd
    ]


def _series(frame: Frame, one: Row, span: dict[str, date]) -> None:
    days = frame.ask("trend_days", **span, business=one["business_id"], currency=one["currency_code"], kind=one["kind"])
    title = f"{one['business_name']}, {as_text.currency(one['currency_code'])}: {as_text.words(one['kind'])}"
    odd = [f"{as_text.day(row['day_date'])} {row['problem_entry_count']}" for row in days if row["is_anomaly"]]
    said = charts.alternative(f"Problem entries a day, {title}", [f"days that stand out: {', '.join(odd) or 'none'}"])
    draw_chart(charts.trend(days, title), said)


def _legend(series_count: int) -> str:
    more = (
        f" Shown are the {_MOST_CHARTS} of {series_count} series with most to see; choose a business for the others."
        if series_count > _MOST_CHARTS
        else ""
    )
    return (
        "Grey bars are the day's problem entries, the blue line their 7-day mean, the dashed orange line what the "
        f"weekday is used to, and a red diamond a day that stands out.{more}"
    )
