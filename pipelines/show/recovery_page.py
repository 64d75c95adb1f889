"""Recovery: how much of what failed was paid later and how soon, whether retrying works, and what is still open."""

import streamlit as st

from pipelines.show import charts, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame
from pipelines.show.columns import BUSINESS, COHORTS, CURRENCY, OPEN, Column
from pipelines.show.figure_tables import by_scope, scope_name
from pipelines.show.page_frame import draw_chart, grid, html, nothing, places

FILTERS = ("period", "business", "currency")
_MOST_CHARTS = 6
_OUTCOMES = (
    Column("Retries", "retry_count", "count"),
    Column("Succeeded", "succeeded_retry_count", "count"),
    Column("Share", "success_ratio", "percent"),
    Column("From", "low_ratio", "percent", "Lower end of the 95 % interval: an invoice counts once"),
    Column("To", "high_ratio", "percent", "Upper end of the 95 % interval"),
)
_AGES = (
    BUSINESS,
    CURRENCY,
    Column("Age in days", "ageing_band"),
    Column("Invoices", "open_invoice_count", "count"),
    Column("Open amount", "open_amount", "money"),
    Column("Oldest, days", "oldest_open_days", "count", "How long the oldest has been open"),
)


def draw(frame: Frame) -> None:
    """The page."""
    name = "business_cohorts" if frame.view.businesses else "cohorts"
    rows = frame.ask(name, until=frame.view.period.end_date)
    if not rows:
        nothing("No payment failed in this view", "Choose a later period, or fewer businesses and currencies.")
        return
    grid("At risk now, and how much of it is expected by the 90th day after the failure", OPEN, frame.ask("expected"))
    _curves(frame)
    grid(
        f"Recovered, by month of the first failure, up to {frame.view.period.label}",
        (BUSINESS, *COHORTS) if frame.view.businesses else COHORTS,
        rows,
    )
    retries = frame.ask("retries")
    by_attempt = [row for row in retries if row["attempt_band"]]
    by_day = [row for row in retries if row["days_band"]]
    left, right = st.columns(2)
    with left:
        shown = (BUSINESS, CURRENCY, Column("Attempt", "attempt_band"), *_OUTCOMES)
        grid("Does retrying work? By number of the attempt", shown, by_attempt)
    with right:
        shown = (BUSINESS, CURRENCY, Column("Days since the failure", "days_band"), *_OUTCOMES)
        grid("When does it work? By days since the failure", shown, by_day)
    _open_amounts(frame)


def _curves(frame: Frame) -> None:
    curves = by_scope(frame.ask("curves"), "at_risk_count")[:_MOST_CHARTS]
    for place, (scope, days) in zip(places(len(curves), 3), curves, strict=False):
        title = f"Recovered by day, {scope_name(frame, *scope)}"
        said = [f"day {row['days_since_failure']} {as_text.percent(row['recovered_ratio'])}" for row in days[::7]]
        with place:
            draw_chart(charts.curve(days, title), charts.alternative(title, said))


def _open_amounts(frame: Frame) -> None:
    st.subheader("Still open now, by age")
    rows = frame.ask("open_amounts")
    if not rows:
        html(markup.notice("Every invoice whose payment failed has been paid or refunded since.", "good"))
        return
    grid("Open amounts by age", _AGES, rows)
    html(markup.links(("The invoices themselves: worklist", frame.view.address("worklist"))))
