"""Problem trends: incidents, and problem entries a day against what is usual for the weekday."""

from datetime import date, timedelta

import streamlit as st

from pipelines.publish.snapshot import Row
from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import INCIDENTS
from pipelines.show.figure_tables import charted, incident_rows, scope_name
from pipelines.show.page_frame import draw_chart, grid, html, nothing, places

FILTERS = ("period", "business", "currency", "kind")
_MOST_CHARTS = 6
_MOST_INCIDENTS = 50
_SHORTEST = timedelta(days=91)


def draw(frame: Frame) -> None:
    """The page."""
    period = frame.view.period
    until = min(period.end_date, period.data_until_date)
    span = {"from": min(period.start_date, until - _SHORTEST), "until": until}
    series = frame.ask("trend_series", **span, limit=_MOST_CHARTS)
    if not series:
        nothing("No problem entries in this view", "Choose another period, or fewer businesses, currencies and kinds.")
        return
    # To the end of the data, whichever period is looked at: the findings of the first page lead here.
    incidents = frame.ask("incidents", **span | {"until": frame.data_until_date}, limit=_MOST_INCIDENTS)
    if incidents:
        grid("Incidents, those that last first", INCIDENTS, incident_rows(incidents))
    else:
        html(markup.notice("No failure rate rose, no day was beyond chance, no business fell silent.", "good"))
    _by_month(frame)
    st.subheader(f"Problem entries, {as_text.day(span['from'])} to {as_text.day(until)}")
    html(markup.paragraph(_legend(series[0]["series_count"])))
    for place, one in zip(places(len(series), 3), series, strict=False):
        with place:
            _series(frame, one, span)


def _by_month(frame: Frame) -> None:
    shown = charted(frame, "monthly_rates", _MOST_CHARTS, until=frame.view.period.end_date)
    st.subheader("Failure rate by month")
    html(
        markup.paragraph(
            "The line is the rate, the band its 95 % interval. A hollow point: the month is incomplete. "
            "Shaded: months with an incident of the business. All charts share one scale; values above it are cut off."
        )
    )
    rates = [
        row["first_attempt_failure_ratio"] or 0
        for _, rows, incidents in shown
        for row in rows
        if not row["is_small_sample"] or incidents
    ]
    highest = min(1.0, 1.4 * max(rates, default=0) or 1.0)
    for place, (scope, rows, incidents) in zip(places(len(shown), 3), shown, strict=False):
        title = scope_name(frame, *scope)
        said = [
            f"{as_text.month(row['period_start_date'])} {as_text.percent(row['first_attempt_failure_ratio'])}"
            for row in rows[-13:]
        ]
        with place:
            draw_chart(
                charts.rate_by_month(rows, title, highest, incidents),
                charts.alternative(f"Failure rate by month, {title}", said),
            )


def _series(frame: Frame, one: Row, span: dict[str, date]) -> None:
    days = frame.ask("trend_days", **span, business=one["business_id"], currency=one["currency_code"], kind=one["kind"])
    title = f"{one['business_name']}, {as_text.currency(one['currency_code'])}: {as_text.words(one['kind'])}"
    newest = [f"{as_text.day(row['day_date'])} {row['problem_entry_count']}" for row in days[-7:]]
    said = charts.alternative(f"Problem entries a day, {title}", newest)
    draw_chart(charts.trend(days, title), said)


def _legend(series_count: int) -> str:
    more = (
        f" Shown: the {_MOST_CHARTS} of {series_count} series with most problem entries; choose a business for others."
        if series_count > _MOST_CHARTS
        else ""
    )
    return (
        "Grey bars: problem entries a day. Blue line: their 7-day mean. Dashed orange line: what is usual for the "
        f"weekday.{more}"
    )
